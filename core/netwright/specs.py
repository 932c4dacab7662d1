"""What a plugin returns from its hooks: frozen descriptions of components, imported only when used."""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class ComponentSpec:
    """A component by name, before anything of it is imported.

    Attributes:
        name: The name that users type. Lower case, words joined by underscores.
        summary: One line for listings, without a full stop.
        target: Where the component lives, as "package.module:attribute".
        requires: Names of the importable packages that the target needs.
        extra: The extra of this distribution that brings them, e.g. "netwright[pruning]".
    """

    kind: ClassVar[str]

    name: str
    summary: str
    target: str
    requires: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True, kw_only=True)
class AgentSpec(ComponentSpec):
    """An agent: a `netwright.agent.BaseAgent[Job, AgentResult]` subclass.

    Attributes:
        config: The agent's pydantic configuration class, as "package.module:Class"; importing it must not import torch.
        baseline_groups: The groups of baselines that it compares; empty for an agent that takes none.
        default_baselines: The baselines that it compares when the user names none.
        default_case: The case that it takes when the user names none; None where a case must be named.
        needs_case: False for an agent that works without any case.
        resumable: True for an agent whose work is a `netwright.workflow`, so that `netwright run resume=FOLDER` goes on
            with it.
    """

    kind: ClassVar[str] = "agent"

    config: str
    baseline_groups: tuple[str, ...] = ()
    default_baselines: tuple[str, ...] = ()
    default_case: str | None = None
    needs_case: bool = True
    resumable: bool = False


@dataclass(frozen=True, kw_only=True)
class ToolSpec(ComponentSpec):
    """A tool: a typed function; its JSON schema is read from its signature and docstring."""

    kind: ClassVar[str] = "tool"


@dataclass(frozen=True, kw_only=True)
class BaselineSpec(ComponentSpec):
    """A baseline: a method that turns a case into a variant.

    Attributes:
        group: The family whose contract the target fulfils. "execution": a function `(module, **options) -> callable`
            (see `netwright.harness.variant`). Plugins document the groups that they add, e.g. "pruning".
        config: The baseline's pydantic options class, as "package.module:Class", or "" when it has none.
    """

    kind: ClassVar[str] = "baseline"

    group: str
    config: str = ""


@dataclass(frozen=True, kw_only=True)
class MetricSpec(ComponentSpec):
    """A metric: a function that returns one number.

    Attributes:
        unit: The unit in field terms, e.g. "ms", "MACs", "samples/s"; "" for a pure ratio.
        direction: Whether a lower or a higher value is better.
        of: What the function is given. "model": `(module, inputs) -> float` with `inputs` a `netwright.cases.Inputs`.
            "timing": `(timing) -> float | None` with `timing` a `netwright.harness.timing.Timing`.
            "predictions": `(outputs, targets) -> float`, tensors over a whole evaluation split.
    """

    kind: ClassVar[str] = "metric"

    unit: str
    direction: Literal["lower", "higher"]
    of: Literal["model", "timing", "predictions"]


@dataclass(frozen=True, kw_only=True)
class CaseSourceSpec(ComponentSpec):
    """A case scheme: `name:reference` is resolved by a function `(reference, options) -> netwright.cases.Case`.

    Attributes:
        examples: Names that users can try, whole ("timm:resnet18"), for listings.
    """

    kind: ClassVar[str] = "case source"

    examples: tuple[str, ...] = ()
