"""The derivation: a formula, and what it was held against."""

from dataclasses import dataclass

from netwright_predictor.expression import Expression
from netwright_predictor.polynomial import Polynomial


@dataclass(frozen=True)
class Derivation:
    """A formula that agrees with all counts that it was held against.

    Attributes:
        formula: FLOPs by sizes.
        checked: The sizes at which it was checked beyond those that it was fitted to.
        holds: Where, in words; empty where no limit is known.
        found: Whether it was fitted, proposed by a model, or derived by an earlier run and checked again now.
    """

    formula: Polynomial | Expression
    checked: tuple[str, ...]
    holds: str = ""
    found: str = "fitted"

    @property
    def note(self) -> str:
        """One line for people."""
        where = f", holds {self.holds}" if self.holds else ""
        return f"{self.found}, checked at {'; '.join(self.checked) or 'the traced sizes'}{where}"
