"""Run under `TRITON_INTERPRET=1`: every case's kernels against float64, written as one JSON line per case and setting.

Usage: interpreted.py FOLDER. The kernels' sources are left in FOLDER, too.
"""

import copy
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from kernel_cases import CASES, EVERYWHERE
from torch import Tensor
from torch.utils import _pytree as pytree

from netwright.cases import Inputs
from netwright_fusion.capture import Captured, capture
from netwright_fusion.kernels.template import KernelCall

SMALL_BLOCK = 16
"""Columns at a time in the second round, so that rows are read in blocks."""


def main(folder: Path) -> None:
    """Run all cases."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    with (folder / "results.jsonl").open("w") as file:
        for name, (build, make, least) in CASES.items():
            module = build().eval()
            for setting, blocks in (("whole", None), ("in blocks", SMALL_BLOCK)):
                if blocks and not name.startswith("rows"):
                    continue
                with torch.no_grad():
                    captured = capture(module, Inputs(make(3)))
                    calls = fuse(captured, blocks)
                    for call in calls:
                        (folder / f"{len(list(folder.glob('*.py'))):03}_{call.name}.py").write_text(call.source)
                    found = {"case": f"{name}, {setting}", "kernels": len(calls), "least": least}
                    found["wrong"] = [each for inputs in settings(make) for each in judge(module, captured, inputs)]
                file.write(json.dumps(found) + "\n")
                file.flush()


def fuse(captured: Captured, block: int | None) -> list[KernelCall]:
    """Let every template take what it can."""
    calls = []
    for template in EVERYWHERE:
        while site := next(iter(template.sites(captured.graph)), None):
            config = dict(template.configs(site)[0])
            if block and "BLOCK" in config:
                config["BLOCK"] = min(block, config["BLOCK"])
            calls.append(template.apply(captured.graph, site, config))
    return calls


def settings(make: Any) -> Iterator[tuple[Any, ...]]:
    """Inputs as captured, of another batch size, and with gaps in memory."""
    yield make(3)
    yield make(2)
    yield tuple(with_gaps(each) for each in make(3))


def with_gaps(tensor: Tensor) -> Tensor:
    """The same values, every second element of a larger tensor."""
    wide = torch.zeros(*tensor.shape[:-1], tensor.shape[-1] * 2, dtype=tensor.dtype)
    wide[..., ::2] = tensor
    return wide[..., ::2]


def judge(module: Any, captured: Captured, inputs: tuple[Any, ...]) -> list[str]:
    """What is wrong with a call's outputs; the harness's own measure of accuracy."""
    double = [each.double() if each.is_floating_point() else each for each in inputs]
    truth = pytree.tree_leaves(copy.deepcopy(module).double()(*double))
    eager = pytree.tree_leaves(module(*inputs))
    ours = pytree.tree_leaves(captured.call(Inputs(inputs)))
    return [
        f"output {number}: {what}"
        for number, each in enumerate(zip(truth, eager, ours, strict=True))
        if (what := compare(*each))
    ]


def compare(truth: Tensor, eager: Tensor, ours: Tensor) -> str:
    """What is wrong with one output; empty where nothing is."""
    if ours.shape != eager.shape or ours.dtype != eager.dtype:
        return f"{ours.dtype} {tuple(ours.shape)} instead of {eager.dtype} {tuple(eager.shape)}"
    if not eager.is_floating_point():
        return "" if torch.equal(ours, eager) else "other integers"
    finite = truth.isfinite()
    if not torch.equal(ours.isnan(), eager.isnan()) or not torch.equal(ours.isinf(), eager.isinf()):
        return "NaN or infinity elsewhere"
    truth, eager, ours = (each.double()[finite] for each in (truth, eager, ours))
    if not truth.numel():
        return ""
    floor = 8 * torch.finfo(torch.float32).eps * truth.square().mean().sqrt()
    if str(eager.dtype) == "torch.float16":
        floor = 8 * torch.finfo(torch.float16).eps * truth.square().mean().sqrt()
    allowed, error = max(4 * (eager - truth).abs().max(), floor), (ours - truth).abs().max()
    return f"error {error:.1e}, allowed {allowed:.1e}" if error > allowed else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
