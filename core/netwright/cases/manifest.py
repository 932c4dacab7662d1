"""The manifest of a folder case: its schema, and reading it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import Field, field_validator, model_validator

from netwright.cases.case import Mode, Tolerance
from netwright.cases.sizes import with_sizes
from netwright.config import Config, parse_config
from netwright.errors import UserError, nearest

MANIFEST = "manifest.yaml"

DType = Literal["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
Size = Annotated[int, Field(strict=True, ge=1)]


class TensorSpec(Config):
    """One input tensor and how its values are drawn."""

    shape: tuple[Size, ...]
    """Its dimensions; `[]` is a scalar."""
    dtype: DType = "float32"
    """Its element type, by torch's name."""
    distribution: Literal["normal", "uniform", "zeros", "ones"] = "normal"
    """How floating-point values are drawn; integers are uniform over their range, booleans are even."""
    range: tuple[float, float] | None = None
    """Lowest value, included, and highest, excluded: of uniform floats ([0, 1] by default) and of integers, which must
    have one. Normal floats are clipped to it."""

    @field_validator("dtype", mode="before")
    @classmethod
    def _known_dtype(cls, value: object) -> object:
        if value in get_args(DType):
            return value
        guess = nearest(str(value), get_args(DType))
        raise ValueError(f"did you mean '{guess}'?" if guess else f"known: {', '.join(get_args(DType))}")

    @model_validator(mode="after")
    def _sound_range(self) -> Self:
        integer = "int" in self.dtype
        if integer and self.range is None:
            raise ValueError(f"a tensor of {self.dtype} needs a range, e.g. [0, 10]")
        if integer and self.range and not all(end.is_integer() for end in self.range):
            raise ValueError(f"the range of a tensor of {self.dtype} must be whole numbers")
        if self.range and self.range[0] >= self.range[1]:
            raise ValueError("the range must begin below its end")
        return self


class InputsSpec(Config):
    """The arguments of one forward call."""

    args: tuple[TensorSpec, ...] = ()
    """Positional tensors, in order."""
    kwargs: dict[str, TensorSpec] = {}
    """Tensors by keyword."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.args and not self.kwargs:
            raise ValueError("declare at least one tensor under args or kwargs")
        return self

    def with_batch_size(self, size: int) -> "InputsSpec":
        """These inputs with `size` in place of the first tensor's first dimension, in all tensors that it leads."""
        batch = [*self.args, *self.kwargs.values()][0].shape[:1]

        def resize(tensor: TensorSpec) -> TensorSpec:
            led = batch and tensor.shape[:1] == batch
            return tensor.model_copy(update={"shape": (size, *tensor.shape[1:])}) if led else tensor

        kwargs = {name: resize(tensor) for name, tensor in self.kwargs.items()}
        return InputsSpec(args=tuple(resize(tensor) for tensor in self.args), kwargs=kwargs)


class ModelSpec(Config):
    """Which class to build, and with what."""

    module: str = "model"
    """The Python file in the case's folder that defines it, without ".py"."""
    class_name: str = Field(alias="class", min_length=1)
    """The `torch.nn.Module` class."""
    kwargs: dict[str, Any] = {}
    """The constructor's keyword arguments."""


class WeightsSpec(Config):
    """Where weights come from when the constructor's own are not wanted."""

    function: str
    """A function of the model's file that takes the module and overwrites its weights deterministically."""


class Manifest(Config):
    """The content of `manifest.yaml`."""

    description: str = ""
    """One line for listings."""
    model: ModelSpec
    """The module under work."""
    inputs: InputsSpec
    """What it is fed; shapes and ranges may name constructor arguments and `sizes`."""
    sizes: dict[str, Size] = {}
    """Numbers that shapes and ranges name beside the constructor's arguments, such as a batch size."""
    small: dict[str, Any] = {}
    """Other values of constructor arguments and sizes, for a machine without a GPU."""
    weights: WeightsSpec | None = None
    """How its weights are set; null keeps what the constructor draws."""
    mode: Mode = "eval"
    """Whether it runs in train or eval mode."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it prefers to run, which decides when `case_options.device` is auto."""
    tolerance: Tolerance = Tolerance()
    """How far a variant's output may be from the float64 oracle."""
    data: dict[str, Any] | None = None
    """The dataset that it is trained and evaluated on, as the training plugin's settings."""
    train: dict[str, Any] | None = None
    """Its training recipe, as the training plugin's settings."""


def read_manifest(path: Path, *, small: bool = False, changes: Mapping[str, Any] | None = None) -> Manifest:
    """The manifest in the file `path`, with numbers for all sizes that it names.

    Args:
        small: Whether to take the small size, where it has one.
        changes: Other values of constructor arguments and sizes.

    Raises:
        UserError: The file cannot be read, is not YAML, or does not fit the schema; file and key are named.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}", why=(error.strerror or str(error)).lower()) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML", why=" ".join(str(error).split())) from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no mapping", remedy="it must begin with keys such as model: and inputs:")
    smaller = values.get("small") if small else None
    try:
        sized = with_sizes(values, {**(smaller if isinstance(smaller, dict) else {}), **(changes or {})})
        return parse_config(Manifest, sized)
    except UserError as error:
        raise UserError(f"{path}: {error.what}", why=error.why, remedy=error.remedy) from None
    except ValueError as error:
        raise UserError(f"{path}: a shape or range cannot be told", why=str(error)) from None
