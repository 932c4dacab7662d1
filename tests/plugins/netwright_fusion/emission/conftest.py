"""Writing a module of a test's source as a file, and loading what was generated for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from netwright.cases import Inputs
from netwright.cases.seeding import seeded
from netwright.harness.source import complaint
from netwright.harness.variant import Variant
from netwright.loading import attribute_of, load_script
from netwright_fusion.capture import Captured, capture
from netwright_fusion.emission import Execution, emit
from netwright_fusion.origin import Origin

Rewrite = Callable[[Captured], None]


class Workshop:
    """A folder for a source and what is generated from it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def original(self, source: str, *arguments: Any, training: bool = False) -> tuple[nn.Module, str]:
        """An instance of the class `Model` of a source, and that source."""
        text = f"import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n{source.strip()}\n"
        file = self._folder / "original.py"
        file.write_text(text)
        with seeded(0):
            module: nn.Module = attribute_of(load_script(file), "Model", str(file))(*arguments)  # type: ignore[operator]
        return module.train(training), text

    def generate(
        self,
        module: nn.Module,
        inputs: Inputs,
        text: str | None = None,
        *arguments: Any,
        execution: Execution = Execution.EAGER,
        rewrite: Rewrite | None = None,
    ) -> tuple[Any, str]:
        """The generated module with the weights of `module`, and its text, which the judge's reading accepts."""
        captured = capture(module, inputs)
        if rewrite is not None:
            rewrite(captured)
        written = emit(captured, Origin("test", module, text), execution=execution)
        assert emit(captured, Origin("test", module, text), execution=execution) == written
        file = self._folder / "optimized.py"
        file.write_text(written)
        assert complaint(Variant(label="test", target=f"{file}:ModelNew")) is None
        new: nn.Module = attribute_of(load_script(file), "ModelNew", str(file))(*arguments)  # type: ignore[operator]
        new.load_state_dict(module.state_dict())
        return new.train(module.training), written

    def assert_same(self, new: nn.Module, module: nn.Module, inputs: Inputs, *, exact: bool = True) -> Any:
        """Hold a call against the original's, effects on buffers included; returns what the generated one returned."""
        outputs = []
        for each in (new, module):
            with seeded(1), torch.no_grad():
                outputs.append(each(*inputs.args, **inputs.kwargs))
        (found, built), (expected, expected_built) = (pytree.tree_flatten(output) for output in outputs)
        assert built == expected_built
        tolerance = 0.0 if exact else 1e-5
        for left, right in zip(found, expected, strict=True):
            if isinstance(right, torch.Tensor):
                torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance, equal_nan=True)
                assert left.stride() == right.stride()
            else:
                assert left == right
        for (name, left), right in zip(new.named_buffers(), module.buffers(), strict=True):
            torch.testing.assert_close(left, right, msg=name)
        return outputs[0]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A workshop in a folder of its own."""
    return Workshop(tmp_path)
