"""Asking: what no rule resolves is put to whoever decides in the run, and the answer is held against the model."""

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from netwright.context import RunContext, current_run
from netwright.decisions import Decision, Question
from netwright.llm.errors import LanguageModelError
from netwright_predictor.population.errors import MissingParameterError, ParameterError, ParameterTypeError
from netwright_predictor.population.expressions import Described, ExpressionError
from netwright_predictor.population.provenance import Populated, Provenance
from netwright_predictor.population.rules import Rules, check_together, checked
from netwright_predictor.population.types import check_required
from netwright_predictor.structure.architecture import read_architecture
from netwright_predictor.structure.parse import parse_structure

Scalar = int | float | bool | str


class FoundParameter(BaseModel):
    """One parameter of the answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    value: Scalar | list[Scalar]
    source: str
    """The path that the value stands at, or the formula over paths that gives it."""


class FoundParameters(Decision):
    """The answer."""

    parameters: dict[str, FoundParameter]
    """Every parameter of `wanted`, by its name."""


class WantedParameters(Question[FoundParameters]):
    """The parameters of a module that no rule found.

    1. Goal: find the value of every parameter in `wanted` for a module of the class `module_class`, so that its FLOPs
    and memory can be computed. All of them must be there, and no other.

    2. Input data: `wanted` has the Python type of each parameter, `tried` what was tried in vain, `known` the
    parameters that are already found. `config` is the configuration of the whole model, `enhanced_structure` what
    PyTorch prints of it with full class paths, `architecture` the same as a hierarchy, `runtime_parameters` what the
    user chose.

    3. Mapping rules, in order of priority: a run-time parameter; a key of the configuration, under this or another
    name, in the part of the configuration that governs the module; a calculation from other keys; the structure; a
    default. A head_dim that is given outranks hidden_size // num_attention_heads. A key that is null is absent.

    4. Output: for each parameter its value in the wanted type, and its source. The source is a path or a formula over
    paths, and it is evaluated: its result must be the value. Paths are `config.KEY.KEY`, `structure['PATH'].ARGUMENT`
    with the dotted path of a module and one of its arguments (a shape by index: `.weight[0]`),
    `architecture['PATH'].repeat`, `runtime_parameters.NAME`, `parameters.NAME` for known ones. Formulas may use
    + - * / // %, numbers, min, max, abs, int, len, sum. A formula of bare numbers is refused.

    5. Errors: do not guess. Where nothing in the input gives a value, give the formula that comes nearest, and
    say in `reasons` what is doubtful.

    6. Examples. {"value": 128, "source": "config.hidden_size // config.num_attention_heads"} for a head's width.
    {"value": 14336, "source": "structure['model.layers.0-31.mlp.gate_proj'].out_features"} for an MLP's width.
    {"value": 8, "source": "structure['model.layers.0.self_attn.k_proj'].out_features // parameters.head_dim"} for the
    number of key and value heads. {"value": 2048, "source": "config.text_config.moe.shared_width *
    config.text_config.moe.num_shared"} for a nested configuration.
    """

    module_class: str
    wanted: dict[str, str]
    tried: dict[str, list[str]]
    known: dict[str, Any]
    config: dict[str, Any]
    enhanced_structure: str
    architecture: dict[str, Any]
    runtime_parameters: dict[str, int]

    def rule(self) -> FoundParameters:
        """There is none: whatever a rule can find has been found.

        Raises:
            MissingParameterError: Always.
        """
        raise MissingParameterError(self.tried, self.wanted)

    def check(self, decision: FoundParameters) -> None:
        """All parameters are there, and each is what its source says, of its type and a possible size."""
        problems = [f"'{name}' is missing" for name in self.wanted if name not in decision.parameters]
        problems += [f"'{name}' was not asked for" for name in decision.parameters if name not in self.wanted]
        for name, found in decision.parameters.items():
            if name in self.wanted:
                try:
                    self.provenance(name, found)
                except (ExpressionError, ParameterError, ParameterTypeError) as error:
                    problems.append(f"'{name}': {error}")
        if problems:
            raise ValueError("; ".join(problems))

    def provenance(self, name: str, found: FoundParameter) -> Provenance:
        """Where the answer's value comes from.

        Raises:
            ExpressionError: The source gives another value, or none.
            ParameterError: The value is no possible size.
            ParameterTypeError: It is of another type.
        """
        evaluated = self._described.evaluate(found.source)
        if not evaluated.paths:
            raise ExpressionError(f"the source '{found.source}' names no path")
        if not _equal(evaluated.value, found.value):
            raise ExpressionError(f"the source '{found.source}' gives {evaluated.value!r}, and not {found.value!r}")
        formula = "" if evaluated.is_path else found.source
        source = ", ".join(evaluated.paths)
        return checked(Provenance(name, found.value, "model", source, formula), self.wanted[name])

    @property
    def _described(self) -> Described:
        return Described(
            config=self.config,
            runtime_parameters=self.runtime_parameters,
            parameters=self.known,
            structure=parse_structure(self.enhanced_structure) if self.enhanced_structure.strip() else None,
            architecture=read_architecture(self.architecture) if self.architecture else None,
        )


def populate_or_ask(
    required: Mapping[str, str],
    *,
    config: Mapping[str, Any],
    runtime: Mapping[str, int] | None = None,
    instance: Mapping[str, object] | None = None,
    structure: str | None = None,
    architecture: Mapping[str, Any] | None = None,
    module_class: str = "",
    run: RunContext | None = None,
) -> Populated:
    """As `populate`; what no rule resolves is put to the run's language model, where one is configured.

    Its answer names for each value the path that it comes from, or a formula over paths, and is accepted only if that
    gives this very value. The decision is logged as every decision of a run.

    Args:
        run: Whose decider; the run in force by default.

    Raises:
        MissingParameterError: (a ValueError) Neither a rule nor a model gives a parameter. Where a model was asked and
            failed, its `LanguageModelError` is the cause.
        UserError: The model's settings are wrong, and as `populate`.
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
    if not missing:
        return populated
    question = WantedParameters(
        module_class=module_class,
        wanted={name: kinds[name] for name in missing},
        tried=missing,
        known=_plain(populated.values),
        config=_plain(config),
        enhanced_structure=structure or "",
        architecture=_plain(architecture or {}),
        runtime_parameters=dict(runtime or {}),
    )
    try:
        answer = (run or current_run()).decide(question)
    except MissingParameterError as error:
        failure = error.__context__
        if isinstance(failure, LanguageModelError):
            raise MissingParameterError(missing, kinds, asked=f"the language model: {failure}") from failure
        raise
    found = {name: question.provenance(name, each) for name, each in answer.parameters.items()}
    provenance = {name: found.get(name) or populated.provenance[name] for name in kinds}
    values = {name: each.value for name, each in provenance.items()}
    check_together(values)
    return Populated(values, provenance)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values alone: what JSON lacks, such as a dtype, as text."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), default=str))
    return plain


def _equal(one: object, other: object) -> bool:
    """Equal as JSON has it: lists and tuples alike, truth values no numbers, fractions but for rounding."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other)
    return isinstance(one, bool) == isinstance(other, bool) and one == other
