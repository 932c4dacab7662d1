"""Loading a case by name."""

from collections.abc import Callable

import pytest
import torch

from netwright.cases import CaseOptions, load_case
from netwright.errors import NetwrightError, UserError
from netwright.registry import Registry

SOURCE = """\
from netwright import hookimpl
from netwright.cases import Case, Inputs
from netwright.specs import CaseSourceSpec


def load(reference, options):
    if reference == "nothing":
        return None
    def refuse():
        raise AssertionError("nothing is built")
    return Case("own name", "described", refuse, lambda seed, distribution: Inputs(), "eval", options)


@hookimpl
def netwright_case_sources():
    return [CaseSourceSpec(name="made", summary="Made up", target="inline:load")]
"""


def test_a_plugins_scheme(register_plugin: Callable[..., Registry]) -> None:
    register_plugin(SOURCE)
    case = load_case("made:up:to:the:end", CaseOptions(dtype="bfloat16"))
    assert (case.name, case.description) == ("made:up:to:the:end", "described")
    assert (case.options.dtype, case.options.device) == ("bfloat16", "cpu")
    with pytest.raises(NetwrightError, match="case source 'made' returned NoneType"):
        load_case("made:nothing")


def test_unknown_schemes_and_empty_names() -> None:
    with pytest.raises(UserError, match="no case source named 'scrpt'; did you mean 'script'"):
        load_case("scrpt:model.py:Net")
    for name in ("", " ", "script:"):
        with pytest.raises(UserError, match="names no case"):
            load_case(name)


@pytest.mark.parametrize(
    ("name", "remedy"), [("net.py", "write script:net.py:CLASS"), ("a/net.py:Net", "write script:a/net.py:Net")]
)
def test_a_python_file_needs_its_scheme(name: str, remedy: str) -> None:
    with pytest.raises(UserError, match=f"names no case; {remedy}"):
        load_case(name)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_unknown_devices(fake_case: str, device: str) -> None:
    with pytest.raises(UserError, match=f"no device named '{device}'; known: cpu, cuda, cuda:N, auto"):
        load_case(fake_case, CaseOptions(device=device))


def test_cuda_must_be_there(fake_case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"no CUDA device for 'cuda'; PyTorch sees none.*case_options\.device=cpu"):
        load_case(fake_case, CaseOptions(device="cuda"))
    assert load_case(fake_case, CaseOptions(device="auto")).options.device == "cpu"


def test_cuda_where_there_is_one(fake_case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert load_case(fake_case, CaseOptions(device="auto")).options.device == "cuda"
    assert load_case(fake_case, CaseOptions(device="cuda:1")).options.device == "cuda:1"
    with pytest.raises(UserError, match="no CUDA device for 'cuda:2'; this machine has 2"):
        load_case(fake_case, CaseOptions(device="cuda:2"))
