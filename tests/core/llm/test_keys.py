"""Keys of providers that need more than one variable."""

from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.llm.keys import credentials, find_key, key_variables

AZURE = ["AZURE_API_BASE", "AZURE_API_VERSION", "AZURE_API_KEY"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(
        "AZURE_API_BASE=https://x\nAZURE_API_VERSION=2\nAZURE_API_KEY=k\nAWS_SECRET_ACCESS_KEY=s\nEMPTY_API_KEY=\n"
    )
    return path


def test_variables_become_litellms_arguments(file: Path) -> None:
    assert credentials(AZURE, [file], model="azure/x") == {"api_base": "https://x", "api_version": "2", "api_key": "k"}
    assert credentials(["AWS_SECRET_ACCESS_KEY"], [file], model="bedrock/x") == {"aws_secret_access_key": "s"}
    assert credentials([], [file], model="ollama/x") == {}


def test_only_what_is_missing_is_named(file: Path) -> None:
    with pytest.raises(UserError) as caught:
        credentials(["AZURE_API_KEY", "EMPTY_API_KEY", "OTHER_API_KEY"], [file], model="azure/x")
    assert "no key for azure/x: EMPTY_API_KEY and OTHER_API_KEY are not set" in str(caught.value)
    assert str(file) in str(caught.value)


def test_the_environment_comes_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_key("AZURE_API_KEY", [file], model="m") == "k"
    monkeypatch.setenv("AZURE_API_KEY", "mine")
    assert find_key("AZURE_API_KEY", [file], model="m") == "mine"


def test_keys_are_told_by_their_names() -> None:
    assert key_variables({"B_API_KEY": "x", "A_API_KEY": "y", "C_API_KEY": "", "HOST": "z"}) == [
        "A_API_KEY",
        "B_API_KEY",
    ]
