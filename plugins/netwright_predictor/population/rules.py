"""The rules: each required parameter from the first one that gives it, with provenance."""

from collections.abc import Iterator, Mapping
from typing import Any

from netwright_predictor.population.aliases import INSTANCE_ALIASES, ROLES, SIZES
from netwright_predictor.population.config_view import ConfigView, has_parts, view_config, words_of
from netwright_predictor.population.derived import FORMULAS, Formula, from_config, from_instance
from netwright_predictor.population.errors import (
    AmbiguousParameterError,
    MissingParameterError,
    ParameterError,
    ParameterTypeError,
)
from netwright_predictor.population.evidence import Finding, StructureIndex, index_text
from netwright_predictor.population.provenance import Populated, Provenance, Rule
from netwright_predictor.population.types import as_type, check_required, is_of_type
from netwright_predictor.structure.architecture import read_architecture

DEFAULTS = {"B": 1, "S": 512, "dtype_bytes": 4}
"""Batch size, sequence length, and float32, where nothing else is said."""


def populate(
    required: Mapping[str, str],
    *,
    config: Mapping[str, Any],
    runtime: Mapping[str, int] | None = None,
    instance: Mapping[str, object] | None = None,
    structure: str | None = None,
    architecture: Mapping[str, Any] | None = None,
    module_class: str = "",
) -> Populated:
    """The value of every required parameter, from the first of these rules that has one.

    `runtime`: what the user says. `instance`: attributes of the very module. `config`: a key of the config or of the
    part of it that governs the module, by its name or the name that the model type gives it. `derived`: a formula.
    `structure`: the arguments of the module's class in the structure, else what the model's layers show. `default`.
    A key that is null is absent.

    Args:
        required: Names to Python type names, as `get_required_parameters()` says it.
        config: As `config.to_dict()` gives it.
        runtime: Positive integers, such as {"B": 16, "S": 512}.
        instance: The module's own attributes by name; None where the class is all that is known.
        structure: The enhanced structure, or what PyTorch prints of a model.
        architecture: The architecture JSON; read where there is no structure.
        module_class: Full path of the module's class; it says which part of a composite config governs.

    Raises:
        ParameterTypeError: (a TypeError) A type name is none, or a value is of another type.
        MissingParameterError: (a ValueError) No rule gives a parameter.
        AmbiguousParameterError: (a ValueError) Modules of the class differ in it, and no instance says which is meant.
        ParameterError: (a ValueError) Sizes contradict each other or are not positive.
        UserError: Structure or architecture cannot be read.
    """
    kinds = check_required(required)
    rules = Rules(
        config,
        runtime=runtime,
        instance=instance,
        structure=structure,
        architecture=architecture,
        module_class=module_class,
    )
    populated, missing = rules.populate(kinds)
    if missing:
        raise MissingParameterError(missing, kinds)
    return populated


class Rules:
    """The rules over one set of inputs, those of `populate`; what several parameters need is looked up once."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        runtime: Mapping[str, int] | None = None,
        instance: Mapping[str, object] | None = None,
        structure: str | None = None,
        architecture: Mapping[str, Any] | None = None,
        module_class: str = "",
    ) -> None:
        self._config = config
        self._runtime = check_runtime(runtime)
        self._instance = instance
        self._index = _index(structure, architecture)
        self._class = module_class
        self._views = list(self._governing())
        self._known: dict[str, Provenance | None] = {}
        self._open: set[str] = set()
        self._cut = False

    def populate(self, kinds: Mapping[str, str]) -> tuple[Populated, dict[str, list[str]]]:
        """Every parameter that a rule gives, and what was tried for each of the others; raises as `populate`."""
        provenance: dict[str, Provenance] = {}
        missing: dict[str, list[str]] = {}
        for name, kind in kinds.items():
            found = self._resolve(name, kind)
            if found is None:
                missing[name] = self._tried(name)
            else:
                provenance[name] = checked(found, kind)
        values = {name: found.value for name, found in provenance.items()}
        check_together(values)
        return Populated(values, provenance), missing

    def _resolve(self, name: str, kind: str = "int") -> Provenance | None:
        if name in self._known:
            return self._known[name]
        if name in self._open:  # a formula must not ask for what it is to give
            self._cut = True
            return None
        self._open.add(name)
        found = self._first(name, kind)
        self._open.remove(name)
        if not (self._cut and self._open):  # else it may be found by another way
            self._known[name] = found
        self._cut = self._cut and bool(self._open)
        if found is not None and found.rule in ("config", "derived") and self._instance is None and self._index:
            self._refuse_differing(name, self._index.by_instance(name, self._class, self._number))
        return found

    def _first(self, name: str, kind: str) -> Provenance | None:
        for rule, finding in self._attempts(name, kind):
            if finding is not None:
                return Provenance(name, finding.value, rule, finding.source, finding.formula)
        return None

    def _attempts(self, name: str, kind: str) -> Iterator[tuple[Rule, Finding | None]]:
        if name in self._runtime:
            yield "runtime", Finding(self._runtime[name], f"runtime_parameters.{name}")
        yield "instance", self._of_instance(name, kind)
        yield "config", self._of_config(name)
        formula = FORMULAS.get(name)
        yield "derived", self._of_settings(name)
        if formula is not None and not formula.assumed:
            yield "derived", self._computed(formula, name)
        yield "structure", self._of_structure(name)
        if formula is not None and formula.assumed:
            yield "derived", self._computed(formula, name)
        if name in DEFAULTS:
            yield "default", Finding(DEFAULTS[name], "defaults")

    def _of_instance(self, name: str, kind: str) -> Finding | None:
        if self._instance is None:
            return None
        for key in (name, *INSTANCE_ALIASES.get(name, ())):
            value = self._instance.get(key)
            if value is not None and is_of_type(value, kind):
                return Finding(value, f"instance.{key}")
        return from_instance(name, self._instance, self._number)

    def _of_config(self, name: str) -> Finding | None:
        found: dict[str, tuple[str, Finding]] = {}
        for path, view in self._views:
            for hit in view.find(name):
                found.setdefault(repr(hit.value), (path or hit.source, Finding(hit.value, hit.source)))
        if len(found) > 1:
            candidates = [(place, finding.value) for place, finding in found.values()]
            raise AmbiguousParameterError(name, self._class, candidates)
        return next((finding for _, finding in found.values()), None)

    def _of_settings(self, name: str) -> Finding | None:
        return next((found for _, view in self._views if (found := from_config(name, view)) is not None), None)

    def _computed(self, formula: Formula, name: str) -> Finding | None:
        inputs = [self._resolve(each) for each in formula.inputs]
        known = [each for each in inputs if each is not None and _is_number(each.value)]
        if len(known) < len(inputs) or (name == "S" and known[0].value < 1):
            return None
        value = formula.compute(*(each.value for each in known))
        return Finding(value, ", ".join(each.source for each in known), formula.text)

    def _of_structure(self, name: str) -> Finding | None:
        if self._index is None:
            return None
        found = self._index.search(name, self._class, self._number)
        self._refuse_differing(name, [(finding.source, finding.value) for finding in found])
        return next((finding for finding in found if finding.value is not None), None)

    def _refuse_differing(self, name: str, places: list[tuple[str, Any]]) -> None:
        if len({repr(value) for _, value in places}) > 1:
            raise AmbiguousParameterError(name, self._class, places)

    def _number(self, name: str) -> int | None:
        found = self._resolve(name)
        return found.value if found is not None and _is_number(found.value) else None

    def _governing(self) -> Iterator[tuple[str, ConfigView]]:
        """The parts of the config that govern the module; several where its class has instances under several."""
        paths = [""]
        halves = any(str(key).startswith(ROLES) for key in self._config)
        if self._instance is None and self._index is not None and (halves or has_parts(self._config)):
            places = [path for path, _ in self._index.instances(self._class)]
            paths = list({words_of(path): path for path in reversed(places)}.values())[::-1] or paths
        seen = set()
        for path in paths:
            view = view_config(self._config, self._class, path)
            key = (tuple(view.places), view.role)
            if key not in seen:
                seen.add(key)
                yield path, view

    def _tried(self, name: str) -> list[str]:
        """What was tried for a parameter that no rule gives."""
        tried = [f"runtime_parameters.{name}"]
        if self._instance is not None:
            tried.append(f"the instance's {' and '.join((name, *INSTANCE_ALIASES.get(name, ())))}")
        view = self._views[0][1]
        tried.append(f"the config's {' and '.join(view.keys_for(name))} (in {', '.join(view.places)})")
        formula = FORMULAS.get(name)
        if formula is not None:
            absent = [each for each in formula.inputs if self._number(each) is None]
            tried.append(f"{formula.text} ({' and '.join(absent) or 'an input'} not known)")
        if self._index is not None:
            count = len(self._index.instances(self._class))
            places = f" ({count} of them are {self._class.rpartition('.')[2]})" if self._class else ""
            tried.append(f"the modules of the structure{places}")
        return tried


def check_runtime(runtime: Mapping[str, int] | None) -> Mapping[str, int]:
    """The run-time parameters.

    Raises:
        ParameterTypeError: They are no mapping of names to integers.
        ParameterError: One is zero or negative.
    """
    if runtime is None:
        return {}
    if not isinstance(runtime, Mapping):
        raise ParameterTypeError(f"runtime_parameters must be dict or None, not {type(runtime).__name__}")
    for name, value in runtime.items():
        if not isinstance(name, str):
            raise ParameterTypeError(f"runtime_parameters: a name must be str, not {name!r}")
        if not isinstance(value, int) or isinstance(value, bool):
            raise ParameterTypeError(f"runtime_parameters: '{name}' must be int, not {type(value).__name__}")
        if value < 1:
            raise ParameterError(f"runtime_parameters: '{name}' cannot be {value}", why="it must be positive")
    return runtime


def checked(found: Provenance, kind: str) -> Provenance:
    """The same with its value in the required type.

    Raises:
        ParameterTypeError: The value is of another type.
        ParameterError: It is a size and not positive.
    """
    value = as_type(found.parameter, found.value, kind, found.source)
    if found.parameter in SIZES and isinstance(value, int | float) and value <= 0:
        raise ParameterError(
            f"'{found.parameter}' cannot be {value}", why=f"{found.source} says so, and a size must be positive"
        )
    return Provenance(found.parameter, value, found.rule, found.source, found.formula)


def check_together(values: Mapping[str, Any]) -> None:
    """Refuse sizes that contradict each other; raises ParameterError."""
    heads, shared = values.get("num_attention_heads"), values.get("num_key_value_heads")
    if isinstance(heads, int) and isinstance(shared, int) and heads % shared:
        raise ParameterError(
            f"num_attention_heads {heads} is no multiple of num_key_value_heads {shared}",
            why="each key and value head serves equally many query heads",
        )


def _index(structure: str | None, architecture: Mapping[str, Any] | None) -> StructureIndex | None:
    if structure and structure.strip():
        return index_text(structure)
    return StructureIndex(read_architecture(architecture)) if architecture else None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
