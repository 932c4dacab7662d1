"""The environment of a caged program."""

from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.sandbox.variables import scrubbed_environment


def test_harmless_variables_pass_and_keys_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passing = {
        "PATH": "/usr/bin",
        "LC_ALL": "C",
        "CUDA_VISIBLE_DEVICES": "1",
        "OMP_NUM_THREADS": "2",
        "TRITON_INTERPRET": "1",
    }
    secret = (
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "TORCH_TOKEN",
        "SSH_AUTH_SOCK",
        "PYTHONPATH",
        "LD_PRELOAD",
    )
    for name, value in passing.items():
        monkeypatch.setenv(name, value)
    for name in (*secret, "TRITON_CACHE_DIR"):
        monkeypatch.setenv(name, "x")
    found = scrubbed_environment(tmp_path)
    assert passing.items() <= found.items()
    assert not {*secret, "TRITON_CACHE_DIR"} & found.keys()


def test_home_and_temporary_files_are_private(tmp_path: Path) -> None:
    found = scrubbed_environment(tmp_path, {"EXTRA": "1", "TOKENIZERS_PARALLELISM": "false"})
    assert found["HOME"] == str(tmp_path / "home")
    assert found["TMPDIR"] == str(tmp_path / "tmp")
    assert found["EXTRA"] == "1"


def test_a_key_cannot_be_added(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="MY_API_KEY cannot enter the sandbox"):
        scrubbed_environment(tmp_path, {"MY_API_KEY": "x"})
