"""Cases from any Python file: `script:FILE:CLASS`."""

import ast
import inspect
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from netwright.cases.case import Case, CaseOptions, Distribution, Inputs, Mode
from netwright.cases.constants import constant_names, override_constants, split_settings
from netwright.cases.draw import draw_declared, redistribute
from netwright.cases.manifest import InputsSpec, Size, TensorSpec
from netwright.cases.seeding import seeded
from netwright.cases.source import sibling_checksums
from netwright.config import Config
from netwright.errors import UserError
from netwright.files import content_key
from netwright.loading import attribute_of, load_script, parse_script

HOW_TO_GIVE_INPUTS = (
    "define get_inputs() in it, or give case_options.constants: "
    "{input_shape: [1, 3, 32, 32]} or {inputs: {args: [{shape: [1, 8], dtype: int64, range: [0, 10]}]}}"
)


class ScriptOptions(Config):
    """Keys of `case_options.constants` that say how to build and feed a script's class.

    A key that is also the name of a constant of the script means that constant.
    """

    init: dict[str, Any] = {}
    """Keyword arguments of the constructor."""
    input_shape: tuple[Size, ...] | None = None
    """Shape of the only input, in float32 and normally distributed."""
    inputs: InputsSpec | None = None
    """The inputs in full, as in a manifest."""

    def declared(self) -> InputsSpec | None:
        """The inputs that they declare, if they do."""
        if self.input_shape is None:
            return self.inputs
        return InputsSpec(args=(TensorSpec(shape=self.input_shape),))


def load_script_case(reference: str, options: CaseOptions) -> Case:
    """The case of a class in a Python file, in eval mode unless told otherwise.

    Args:
        reference: "path/to/file.py:ClassName".

    Raises:
        UserError: The reference is malformed, the file does not import or has no such `nn.Module` class, a constant is
            unknown, or nothing says what the inputs are.
    """
    file, _, class_name = reference.rpartition(":")
    if not file.endswith(".py") or not class_name:
        raise UserError(f"'script:{reference}' names no class of a Python file", remedy="write script:FILE.py:CLASS")
    return script_case(Path(file), class_name, options, mode="eval")


def script_case(path: Path, class_name: str, options: CaseOptions, *, mode: Mode | None) -> Case:
    """The case of a class in a Python file whose `get_inputs()` and `get_init_inputs()`, where it has them, are used.

    The file is imported, with the constants that `options` override; the module is not built. Inputs that the options
    declare take the place of `get_inputs()`.

    Args:
        mode: The mode unless `options` ask for another; None leaves every part in the mode that the constructor put
            it in.

    Raises:
        UserError: As `load_script_case`.
    """
    tree = parse_script(path)
    settings, constants = split_settings(ScriptOptions, options.constants, excluded=constant_names(tree))
    tree = override_constants(tree, constants, str(path))
    module = load_script(path, tree)
    module_class = module_class_of(module, class_name, str(path))
    declared = settings.declared()
    if declared is None and not hasattr(module, "get_inputs"):
        raise UserError(
            f"the inputs of {class_name} are not known", why=f"{path} has no get_inputs()", remedy=HOW_TO_GIVE_INPUTS
        )
    init_args = _init_inputs(module, path)
    _check_arguments(module_class, init_args, settings.init)
    return Case(
        name=f"script:{path}:{class_name}",
        description=(module_class.__doc__ or "").strip().partition("\n")[0],
        build=lambda: module_class(*init_args, **settings.init),
        draw_inputs=partial(draw_declared, declared) if declared else partial(_draw_own, module),
        mode=options.mode or mode,
        options=options,
        module_class=lambda: module_class,
        init_args=init_args,
        init_kwargs=settings.init,
        content=content_key(
            ast.dump(tree), sibling_checksums(path, tree), class_name, settings.model_dump(mode="json")
        ),
        folder=path.resolve().parent,
    )


def module_class_of(module: ModuleType, class_name: str, origin: str) -> type[nn.Module]:
    """The `nn.Module` class of that name.

    Raises:
        UserError: There is none (the nearest is shown), or the name means something else.
    """
    found = attribute_of(module, class_name, origin)
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        raise UserError(f"'{class_name}' in {origin} is no torch.nn.Module class")
    return found


def _init_inputs(module: ModuleType, path: Path) -> tuple[Any, ...]:
    function = getattr(module, "get_init_inputs", None)
    if function is None:
        return ()
    try:
        with seeded(0):
            return tuple(function())
    except Exception as error:
        raise UserError(f"get_init_inputs() of {path} raises {type(error).__name__}", why=str(error)) from error


def _check_arguments(module_class: type[nn.Module], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Whether the constructor takes these arguments.

    Raises:
        UserError: It does not.
    """
    try:
        inspect.signature(module_class).bind(*args, **kwargs)
    except TypeError as error:
        raise UserError(
            f"{module_class.__name__} cannot be built",
            why=f"{error} of its constructor",
            remedy="give its arguments: case_options.constants={init: {NAME: VALUE}}, or get_init_inputs() in the file",
        ) from None


def _draw_own(module: ModuleType, seed: int, distribution: Distribution) -> Inputs:
    with seeded(seed):
        drawn = module.get_inputs()
    if isinstance(drawn, Mapping):
        inputs = Inputs(kwargs=dict(drawn))
    else:
        inputs = Inputs(tuple(drawn) if isinstance(drawn, list | tuple) else (drawn,))
    return redistribute(inputs, distribution, seed)
