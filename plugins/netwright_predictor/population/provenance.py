"""Provenance: where a parameter's value comes from, so that every figure can be traced back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Rule = Literal["runtime", "instance", "config", "derived", "structure", "default", "model"]
"""The rules in the order in which they are tried; "model" is a language model's answer that was checked."""


@dataclass(frozen=True)
class Provenance:
    """How one value is known.

    Attributes:
        parameter: Its name.
        value: As it was populated.
        rule: Which rule gave it.
        source: The path that it was read from: a config key ("text_config.num_attention_heads"), an attribute of the
            instance ("instance.head_dim"), a place in the structure ("model.layers.0-31.self_attn.q_proj.in_features");
            of a derived value, those of its inputs.
        formula: How it was computed; "" for one that was read as it stands.
    """

    parameter: str
    value: Any
    rule: Rule
    source: str
    formula: str = ""

    def __str__(self) -> str:
        """One line for logs."""
        computed = f"{self.formula} with " if self.formula else ""
        return f"{self.parameter} = {self.value!r} ({self.rule}: {computed}{self.source})"


@dataclass(frozen=True)
class Populated:
    """All required parameters.

    Attributes:
        values: By name, each of the type that was required.
        provenance: By name, how each is known.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Provenance] = field(default_factory=dict)
