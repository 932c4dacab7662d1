"""The case: an unmodified PyTorch module plus how to feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from netwright.config import Config

if TYPE_CHECKING:
    from torch import Tensor, nn

Mode = Literal["train", "eval"]
Distribution = Literal["normal", "uniform", "large", "small", "sparse"]


class CaseOptions(Config):
    """How to build a case, whatever its source."""

    constants: dict[str, Any] | None = None
    """Overrides of top-level constants (scripts, KernelBench problems) or of constructor arguments and input sizes
    (timm, torchvision, hf: `batch_size`, `image_size`, `sequence_length`, ...)."""
    device: str = "cpu"
    """Where to run it: "cpu", "cuda", "cuda:1"; "auto" takes CUDA where there is one."""
    dtype: Literal["float64", "float32", "bfloat16", "float16"] | None = None
    """Floating-point type of weights and inputs; null keeps the module's own."""
    mode: Mode | None = None
    """Train or eval mode; null takes what the case declares."""
    size: Literal["auto", "full", "small"] = "auto"
    """Which of a manifest's two sizes; auto takes the small one on a CPU. Cases without a small one have one size."""


class Tolerance(Config):
    """How far a variant's output may be from the float64 oracle.

    The limit is `max(factor * error of eager, floor_eps * eps(dtype) * rms(output))`, per output tensor.
    """

    factor: float = 16.0
    """PyTorch's own CPU kernels sum in float64 or pairwise: what torch.compile sums in float32 lies ten times
    farther from the truth at times, and is right."""
    narrow_factor: float = 4.0
    """The factor for bfloat16 and float16, where most of eager's error is the rounding that everybody shares."""
    floor_eps: float = 8.0

    def widened(self, *, factor: float, floor: float) -> Tolerance:
        """A tolerance with `factor` times the factors and `floor` times the floor."""
        return Tolerance(
            factor=factor * self.factor, narrow_factor=factor * self.narrow_factor, floor_eps=floor * self.floor_eps
        )


@dataclass(frozen=True)
class Inputs:
    """The arguments of one forward call; tensors may be nested in lists, tuples and mappings."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A module and how to feed it; building one imports the model's code, so it happens as late as possible.

    Attributes:
        name: The URI-like name by which it was asked for.
        description: One line.
        build: Makes the unmodified module on the CPU in its own dtype; weights are drawn from torch's global generator.
        draw_inputs: Makes one call's arguments on the CPU from a seed and a distribution, always the same for the same.
        mode: Whether the module runs in train or eval mode; None leaves every part in the mode that its constructor put
            it in.
        options: As asked for, device resolved.
        initialise: Overwrites the module's weights deterministically (a manifest's `weights.function`), or None.
        module_class: The module's class, with the arguments that `build` passes: variants that replace the
            class are built with the same.
        data: The dataset that the case is trained and evaluated on, as the training plugin's settings, or None.
        train: Its training recipe, as the training plugin's settings, or None.
        tolerance: How far from the oracle a variant may be.
        content: What determines inputs and weights besides the seed (source text, settings), for cache keys.
    """

    name: str
    description: str
    build: Callable[[], nn.Module]
    draw_inputs: Callable[[int, Distribution], Inputs]
    mode: Mode | None
    options: CaseOptions
    module_class: Callable[[], type[nn.Module]] | None = None
    init_args: tuple[Any, ...] = ()
    init_kwargs: Mapping[str, Any] = field(default_factory=dict)
    initialise: Callable[[nn.Module], None] | None = None
    data: Mapping[str, Any] | None = None
    train: Mapping[str, Any] | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    content: str = ""
    folder: Path | None = None


def map_tensors(value: Any, function: Callable[[Tensor], Any]) -> Any:
    """`value` with `function` applied to every tensor inside nested lists, tuples, dicts and Inputs."""
    import torch

    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, Inputs):
        return Inputs(map_tensors(value.args, function), map_tensors(value.kwargs, function))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(item, function) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(item, function) for item in value)
    if isinstance(value, dict):
        return {key: map_tensors(item, function) for key, item in value.items()}
    return value
