"""Which versions are tried under which way of executing, and which measured rules are kept."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.engineer import Rewritten
from netwright_fusion.trial import TrialRow
from netwright_fusion.tryout import _paying_rules, _worth_compiling, _worth_trying
from netwright_fusion.versions import Version, Versions


class Decay(nn.Module):
    """Computes something of its parameter alone, at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.rate.exp()


def version(
    prefix: str,
    *,
    steps: int = 1,
    probe: str = "",
    tuned: bool = False,
    compiled: bool = False,
    module: nn.Module | None = None,
) -> Version:
    applied = cast("list[Any]", [object()] * steps)
    captured = capture(module or nn.ReLU(), Inputs((torch.randn(3, 4),)))
    return Version(prefix, "rewritten", Rewritten(captured, applied), probe, tuned, compiled)


def rows(**times: float | None) -> dict[str, TrialRow]:
    return {
        label: TrialRow(label=label, call_ms=time, failed=None if time is not None else "it raised")
        for label, time in times.items()
    }


PLAIN = version("rewritten")
BASELINES: dict[str, float | None] = {"eager": 1.0, "torch_compile": 1.0}


@pytest.mark.parametrize(
    ("which", "execution", "tried", "worth"),
    [
        (version("captured", steps=0), "eager", {}, False),
        (version("captured", steps=0), "frozen", {}, True),
        (version("captured", steps=0, module=Decay()), "eager", {}, True),
        (PLAIN, "compiled", {}, True),
        (version("with_layout", probe="layout"), "eager", {}, True),
        (version("for_compilers", compiled=True), "eager", {}, False),
        (version("for_compilers", compiled=True), "frozen", {}, True),
        (PLAIN, "max-autotune", {"rewritten_compiled": 1.2, "eager": 1.0}, True),
        (PLAIN, "max-autotune", {"rewritten_compiled": 2.0, "eager": 1.0}, False),
        (PLAIN, "max-autotune", {"rewritten_compiled": None, "eager": 1.0}, False),
        (PLAIN, "max-autotune", {"rewritten_compiled": 1.0, **BASELINES, "torch_compile_max_autotune": 1.0}, False),
        (PLAIN, "max-autotune", {"rewritten_compiled": 1.0, **BASELINES, "torch_compile_max_autotune": 0.9}, True),
        (PLAIN, "frozen max-autotune", {"rewritten_frozen": 1.0, "rewritten_compiled": 9.0}, True),
    ],
)
def test_what_is_worth_a_trial(which: Version, execution: str, tried: dict[str, float | None], worth: bool) -> None:
    assert _worth_trying(which, execution, rows(**tried)) is worth


def test_what_did_not_pay_by_itself_is_not_compiled() -> None:
    tuned, probe, compiled = (
        version("tuned", tuned=True),
        version("with_a", probe="a", tuned=True),
        version("for_compilers", tuned=True, compiled=True),
    )
    versions = [PLAIN, tuned, probe, compiled]
    slower = rows(rewritten_eager=10.0, tuned_eager=9.9, with_a_eager=5.0, eager=20.0)
    assert _worth_compiling(versions, slower) == [PLAIN, compiled]
    faster = rows(rewritten_eager=10.0, tuned_eager=9.0, eager=20.0)
    assert _worth_compiling(versions, faster) == [PLAIN, tuned, compiled]
    assert _worth_compiling(versions, rows(rewritten_eager=10.0, tuned_eager=None)) == [PLAIN, tuned, compiled]
    original = version("captured", steps=0)
    assert _worth_compiling([original, tuned], rows(eager=10.0, tuned_eager=9.9)) == [original]


def test_measured_rules_are_kept_one_by_one_where_they_pay() -> None:
    probes = [version("with_a", probe="a"), version("with_b", probe="b"), version("with_c", probe="c")]
    tried = rows(rewritten_eager=10.0, with_a_eager=8.0, with_b_eager=9.9, with_c_eager=None)
    assert _paying_rules([PLAIN, *probes], tried) == {"a"}


def test_where_all_pay_or_none_does_there_is_nothing_to_choose() -> None:
    probes = [version("with_a", probe="a"), version("with_b", probe="b")]
    assert _paying_rules([PLAIN, *probes], rows(rewritten_eager=10.0, with_a_eager=8.0, with_b_eager=9.0)) == set()
    assert _paying_rules([PLAIN, *probes], rows(rewritten_eager=10.0, with_a_eager=11.0, with_b_eager=12.0)) == set()
    assert _paying_rules([PLAIN], rows(rewritten_eager=10.0)) == set()
    assert Versions(cast("Any", None), [], ()).with_rules(frozenset()) is None
