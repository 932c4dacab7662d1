"""The typed result of a run: what `result.json` holds, and what agents hand back."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

Status = Literal["ok", "partial", "failed"]
Scale = Literal["linear", "log"]


class Record(BaseModel):
    """Base class of stored data: immutable, field docs read from the string under each field."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, ser_json_inf_nan="strings")


class Measurement(Record):
    """One measured number: the row that `netwright collect` reads."""

    label: str
    """The baseline or variant that was measured."""
    metric: str
    """The metric's registered name."""
    value: float | None
    """None when it was not measured; `not_measured` then says why."""
    unit: str = ""
    stage: str | None = None
    """When in the agent's work it was taken, e.g. "before" or "fine-tuned"."""
    ci: tuple[float, float] | None = None
    """95 % confidence interval, same unit as the value."""
    case: str | None = None
    seed: int | None = None
    not_measured: str | None = None
    """Why there is no value, e.g. "no CUDA device"."""


class TextBlock(Record):
    """A paragraph of a report."""

    kind: Literal["text"] = "text"
    text: str
    title: str = ""
    compact: bool = False
    """Whether the terminal shows it too, above the tables that follow."""
    code: bool = False
    """Whether it is code, which a page shows line by line."""


class TableBlock(Record):
    """A table of a report: rendered in the terminal (rich) and in HTML from the same cells, already formatted."""

    kind: Literal["table"] = "table"
    title: str
    columns: list[str]
    rows: list[list[str]]
    caption: str = ""
    numeric: list[bool] | None = None
    """Per column, whether to align right; by default every column but the first."""
    compact: bool = True
    """Whether the terminal shows it too; long tables are for the report only."""

    @model_validator(mode="after")
    def _is_rectangular(self) -> Self:
        lengths = {len(row) for row in self.rows} | ({len(self.numeric)} if self.numeric is not None else set())
        if lengths - {len(self.columns)}:
            raise ValueError(
                f"table '{self.title}' has {len(self.columns)} columns, but not every row has as many cells"
            )
        return self


class TreeRow(Record):
    """A row of a tree, and the rows below it."""

    cells: list[str]
    """The name first, then a cell per further column."""
    children: list["TreeRow"] = []
    open: bool = True
    """Whether the rows below are shown at once; a page unfolds others, a terminal says how many there are."""

    @property
    def size(self) -> int:
        """How many rows are below it."""
        return sum(1 + child.size for child in self.children)


class TreeBlock(Record):
    """A tree of a report whose rows have cells in columns: rendered in the terminal and in HTML, already formatted."""

    kind: Literal["tree"] = "tree"
    title: str
    columns: list[str]
    rows: list[TreeRow]
    caption: str = ""
    numeric: list[bool] | None = None
    """Per column, whether to align right; by default every column but the first."""
    compact: bool = True
    """Whether the terminal shows it too."""

    @model_validator(mode="after")
    def _is_rectangular(self) -> Self:
        lengths = {len(self.numeric)} if self.numeric is not None else set()
        rows = list(self.rows)
        while rows:
            row = rows.pop()
            lengths.add(len(row.cells))
            rows += row.children
        if lengths - {len(self.columns)}:
            raise ValueError(
                f"tree '{self.title}' has {len(self.columns)} columns, but not every row has as many cells"
            )
        return self


class Series(Record):
    """One named line, cloud of points or group of bars of a plot."""

    label: str
    x: list[float | str]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    """Ends of the confidence interval of each y."""

    @model_validator(mode="after")
    def _has_equal_lengths(self) -> Self:
        if {len(values) for values in (self.x, self.low, self.high) if values is not None} - {len(self.y)}:
            raise ValueError(f"series '{self.label}' has {len(self.y)} values of y, but not as many of x, low or high")
        return self


class PlotBlock(Record):
    """A plot of a report."""

    kind: Literal["plot"] = "plot"
    title: str
    mark: Literal["line", "points", "bars"]
    x_label: str
    y_label: str
    series: list[Series]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    """Scales of the axes of lines and points."""
    caption: str = ""


Block = Annotated[TextBlock | TableBlock | TreeBlock | PlotBlock, Field(discriminator="kind")]


class ErrorRecord(Record):
    """Something that went wrong and was survived, or that ended the run."""

    where: str
    message: str
    exit_code: int = 1


class AgentResult(Record):
    """What an agent hands back to the runner, which completes it to a `Result`."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    metrics: SerializeAsAny[BaseModel]
    """The agent's own typed metrics."""
    measurements: list[Measurement] = []
    """Case and seed may be left out: the runner fills them in."""
    blocks: list[Block] = []
    """The report: what is compact is printed too."""
    artifacts: dict[str, Path] = {}
    """Named files and folders inside the run folder."""
    provenance: dict[str, Any] = {}
    modules: list[dict[str, Any]] = []
    errors: list[ErrorRecord] = []
    """Failures that the agent survived; any makes the status "partial"."""
    archive: bool = False
    """Whether the runner closes the run into a bundle under `archive/`, which is then the artifact `bundle`."""
    archive_name: str | None = None
    """The experiment's name in the bundle's; None takes the preset's, or agent and case."""


class Result(Record):
    """The content of `result.json`."""

    schema_version: Literal[1] = 1
    status: Status
    agent: str
    case: str | None
    config: dict[str, Any]
    """The composed configuration of the job, resolved."""
    config_hash: str
    """SHA-256 of the job's configuration without its sweep and output settings: equal jobs have equal hashes."""
    seed: int
    started: datetime
    duration_s: float
    measurements: list[Measurement] = []
    metrics: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    modules: list[dict[str, Any]] = []
    artifacts: dict[str, str] = {}
    """Name to path, relative to the run folder."""
    errors: list[ErrorRecord] = []
    blocks: list[Block] = []
