"""Whether the rewrite rules are right on random problems: all of them, in float64, on ordinary and on special inputs.

Each problem is held against the module as it is, with NaN, with either infinity, with large and with zero inputs. Where
a graph is right for finite inputs only, `optimized.py` runs the original for others, so that those are left out.

    python benchmarks/fusion_rules.py --first 0 --count 1500
"""

import argparse
import copy
from collections.abc import Iterator
from math import inf, nan

import torch
from torch import Tensor, nn

from _results import describe_machine, write_results
from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.infinity import FINITE_INPUTS
from random_problems import draw_problem

MACS = 1 << 22
TOLERANCE = 1e-9
"""Relative to the largest value."""


def complaint(number: int) -> tuple[str | None, int]:
    """What is wrong with a problem that all rules were applied to, or None; and how often they applied."""
    module, given = _problem(number)
    graph = capture(copy.deepcopy(module), Inputs(args=(given,), kwargs={})).graph
    applied = apply_rules(graph, RULES, training=module.training)
    for name, values in _inputs(given, finite=bool(graph.meta.get(FINITE_INPUTS))):
        with torch.no_grad():
            expected = copy.deepcopy(module)(values)
            (found,) = graph(values)
        if problem := _difference(found, expected, kinds="infinity" not in name):
            return f"{name}: {problem}", len(applied)
    return None, len(applied)


def _problem(number: int) -> tuple[nn.Module, Tensor]:
    """A problem's module in float64, every other one in eval mode, and its input."""
    names: dict[str, object] = {}
    exec(draw_problem(number, MACS), names)  # our own generator's text
    torch.manual_seed(number)
    module = names["Model"]().double()  # type: ignore[operator]
    return module.eval() if number % 2 else module, names["get_inputs"]()[0].double()  # type: ignore[operator]


def _inputs(given: Tensor, *, finite: bool) -> Iterator[tuple[str, Tensor]]:
    yield from (("ordinary", given), ("large", given * 1e4), ("zero", given * 0))
    if not finite:
        for name, value in (("NaN", nan), ("infinity", inf), ("minus infinity", -inf)):
            changed = given.clone()
            changed.view(-1)[given.numel() // 2] = value
            yield name, changed


def _difference(found: Tensor, expected: Tensor, *, kinds: bool) -> str | None:
    """What differs.

    Args:
        kinds: Whether NaN and infinities must match in kind: sums in another order make NaN of what was infinite.
    """
    if found.shape != expected.shape:
        return f"shape {tuple(found.shape)} for {tuple(expected.shape)}"
    if not torch.equal(found.isfinite(), expected.isfinite()) or (
        kinds and not torch.equal(found.isnan(), expected.isnan())
    ):
        return "special values elsewhere"
    both = expected.isfinite()
    off, scale = ((each[both].abs().max().item() if both.any() else 0.0) for each in (found - expected, expected))
    return f"off by {off:.3g} where values reach {scale:.3g}" if off > TOLERANCE * (1 + scale) else None


def main() -> None:
    """Check as many problems, print what is wrong, and write the dated JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="the number of the first problem")
    parser.add_argument("--count", type=int, default=300, help="how many")
    options = parser.parse_args()
    wrong: dict[int, str] = {}
    applications = rewritten = 0
    for number in range(options.first, options.first + options.count):
        problem, applied = complaint(number)
        applications, rewritten = applications + applied, rewritten + bool(applied)
        if problem is not None:
            wrong[number] = problem
            print(f"problem {number}: {problem}", flush=True)
    facts = {"first": options.first, "count": options.count, "rewritten": rewritten, "applications": applications}
    print(facts | {"wrong": len(wrong)})
    write_results("fusion-rules", {"machine": describe_machine(), **facts, "wrong": wrong})


if __name__ == "__main__":
    main()
