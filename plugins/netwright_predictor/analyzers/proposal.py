"""The proposal: a model may write the formula of a module that no fit explains; counts decide whether it is right."""

import inspect
from collections.abc import Mapping, Sequence

from netwright.decisions import Decision, Question, decide
from netwright_predictor.expression import Expression

LONGEST_SOURCE = 20_000
"""Characters of a class's source that are shown."""


class FormulaDecision(Decision):
    """The formula."""

    formula: str = ""
    """FLOPs by B, S, C and E, of whole numbers and +, -, *, /, //, **, ceil, min, max; empty for none."""


class FormulaQuestion(Question[FormulaDecision]):
    """Which formula gives the floating-point operations of one call of a module.

    They count 2 per multiply-accumulate of matrix products, convolutions and attention in the module's own code, not in
    the modules that it calls. The sizes are B (batch), S (new tokens per sequence), C (cached tokens), E (encoder
    positions). The formula must give every count exactly.
    """

    module_class: str
    """Its name."""
    source: str
    """Its code."""
    counts: list[dict[str, int]]
    """What was counted ("flops") at which sizes."""

    def rule(self) -> FormulaDecision:
        """None: the fits that rules know have been tried."""
        return FormulaDecision(reasons=["no polynomial that was tried agrees with the counts"])

    def check(self, decision: FormulaDecision) -> None:
        """The formula must be readable and give all counts."""
        if not decision.formula:
            return
        formula = Expression(decision.formula)
        for each in self.counts:
            try:
                value = formula(each)
            except ArithmeticError as error:
                raise ValueError(str(error)) from error
            if value != each["flops"]:
                raise ValueError(f"{formula} is {value} at {each}, not {each['flops']}")


def propose(module_class: type, sizes: Sequence[Mapping[str, int]], counted: Sequence[int]) -> Expression | None:
    """What the run's decider proposes; None where it has no formula, as always without a language model."""
    try:
        source = inspect.getsource(module_class)[:LONGEST_SOURCE]
    except (OSError, TypeError):
        source = ""
    question = FormulaQuestion(
        module_class=f"{module_class.__module__}.{module_class.__qualname__}",
        source=source,
        counts=[{**at, "flops": value} for at, value in zip(sizes, counted, strict=True)],
    )
    decision = decide(question)
    return Expression(decision.formula) if decision.formula else None
