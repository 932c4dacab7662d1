"""Compile kernels for GPUs that are not here: Triton needs none to go from source to machine code.

Usage: compiled.py FOLDER CAPABILITIES [CASE]... One JSON line per case. What the interpreter lets pass and a GPU would
not shows here: types that change in a loop, tiles whose sides are no powers of two.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import triton
from interpreted import fuse
from kernel_cases import CASES
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.graph import size_hint

TYPES = {
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.int64: "*i64",
    torch.bool: "*i1",
}
HALF = frozenset({"products", "convolutions", "transposed convolutions", "windows", "rows norms"})
"""Cases that are compiled in bfloat16, too."""


class Compiler:
    """Stands in for a launch: compiles what would have been launched."""

    def __init__(self, capabilities: list[int]) -> None:
        self._capabilities = capabilities
        self.count = 0

    def run(self, kernel: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Compile a kernel for the arguments that it was called with."""
        constants = {name: each for name, each in named.items() if name not in ("grid", "warmup")}
        options = {name: constants.pop(name) for name in ("num_warps", "num_stages") if name in constants}
        arguments = dict(zip(kernel.arg_names, given, strict=False))
        signature = {name: TYPES[each.dtype] if torch.is_tensor(each) else "i32" for name, each in arguments.items()}
        signature |= dict.fromkeys(constants, "constexpr")
        for capability in self._capabilities:
            source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
            triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
            self.count += 1


def main(folder: Path, capabilities: list[int], names: list[str]) -> None:
    """Compile the kernels of the named cases, or of all."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    compiler = Compiler(capabilities)
    triton.JITFunction.run = lambda kernel, *given, **named: compiler.run(kernel, given, named)
    with (folder / "compiled.jsonl").open("w") as file:
        for name in names or CASES:
            build, make, _ = CASES[name]
            for kind in (torch.float32, torch.bfloat16) if name in HALF else (torch.float32,):
                for block in (None, 16) if name.startswith("rows") else (None,):
                    failures = compile_case(build().eval().to(kind), make, kind, block)
                    found = {"case": name, "dtype": str(kind), "compiled": compiler.count, "failures": failures}
                    file.write(json.dumps(found) + "\n")
                    file.flush()


@torch.no_grad()
def compile_case(module: Any, make: Any, kind: torch.dtype, block: int | None) -> list[str]:
    """What could not be compiled."""
    inputs = tuple(each.to(kind) if each.dtype == torch.float32 else each for each in make(3))
    captured = capture(module, Inputs(inputs))
    failures = []
    for call in fuse(captured, block):
        try:
            call.function(*call_inputs(captured.graph, call))
        except Exception as error:  # whatever the compiler raises
            failures.append(f"{call.name}: {type(error).__name__}: {str(error)[-300:]}")
    return failures


def call_inputs(graph: torch.fx.GraphModule, call: Any) -> list[torch.Tensor]:
    """Tensors laid out as a kernel's inputs are."""
    node = next(node for node in graph.graph.nodes if node.meta.get("kernel") is call)
    layouts = [(each.meta["val"].shape, each.meta["val"].stride(), each.meta["val"].dtype) for each in node.args]
    return [
        torch.empty_strided([size_hint(each) for each in shape], [size_hint(each) for each in stride], dtype=kind)
        for shape, stride, kind in layouts
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(each) for each in sys.argv[2].split(",")], sys.argv[3:])
