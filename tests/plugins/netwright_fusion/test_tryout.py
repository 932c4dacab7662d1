"""Which versions are tried under which way of executing, and which measured rules are kept."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.engineer import Rewritten
from netwright_fusion.trial import TrialRow
from netwright_fusion.tryout import _for_compilers, _worth_trying
from netwright_fusion.versions import Version


class Decay(nn.Module):
    """Computes something of its parameter alone, at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.rate.exp()


def version(prefix: str, *rules: str, steps: int = 1, module: nn.Module | None = None) -> Version:
    applied = cast("list[Any]", [object()] * steps)
    captured = capture(module or nn.ReLU(), Inputs((torch.randn(3, 4),)))
    return Version(prefix, "rewritten", Rewritten(captured, applied), frozenset(rules))


class Making:
    """Makes any version that is asked for."""

    compiled = frozenset({"for compilers"})

    def with_rules(self, names: frozenset[str], prefix: str) -> Version:
        return version(prefix, *names)


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


def chosen(versions: list[Version], tried: dict[str, TrialRow]) -> dict[str, set[str]]:
    """The versions that are for compilers, with their measured rules."""
    found = _for_compilers(versions, cast("Any", Making()), tried)
    return {each.prefix: {*each.rules} for each in found}


def test_what_did_not_pay_by_itself_is_not_compiled() -> None:
    versions = [PLAIN, version("tuned", "a", "b"), version("with_a", "a"), version("with_b", "b")]
    one = rows(rewritten_eager=10.0, tuned_eager=8.5, with_a_eager=8.0, with_b_eager=9.9, eager=20.0)
    assert chosen(versions, one) == {"rewritten": set(), "with_a": {"a"}, "for_compilers": {"a", "for compilers"}}
    both = rows(rewritten_eager=10.0, tuned_eager=7.0, with_a_eager=8.0, with_b_eager=8.0)
    assert chosen(versions, both)["tuned"] == {"a", "b"}
    neither = rows(rewritten_eager=10.0, tuned_eager=11.0, with_a_eager=None, with_b_eager=9.9)
    assert chosen(versions, neither) == {"rewritten": set(), "for_compilers": {"for compilers"}}


def test_two_of_three_that_pay_make_a_version_of_their_own() -> None:
    versions = [PLAIN, version("tuned", "a", "b", "c"), *(version(f"with_{name}", name) for name in "abc")]
    times = rows(rewritten_eager=10.0, tuned_eager=12.0, with_a_eager=8.0, with_b_eager=9.0, with_c_eager=14.0)
    assert chosen(versions, times)["chosen"] == {"a", "b"}


def test_what_was_not_tried_by_itself_is_compiled() -> None:
    assert "tuned" in chosen([PLAIN, version("tuned", "a")], rows(eager=1.0))


def test_the_original_is_the_yardstick_where_nothing_is_rewritten() -> None:
    versions = [version("captured", steps=0), version("tuned", "a")]
    assert "tuned" in chosen(versions, rows(eager=10.0, tuned_eager=9.0))
    assert "tuned" not in chosen(versions, rows(eager=10.0, tuned_eager=9.9))
