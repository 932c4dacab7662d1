"""Coverage: the prediction of every configuration class of transformers, each held against a count."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from netwright.context import current_run
from netwright.errors import NetwrightError, UserError, unknown_name
from netwright.files import append_json_line, write_json
from netwright.result import Record
from netwright.runfolder import read_json_lines
from netwright_predictor.config import PredictorConfig
from netwright_predictor.families import FAMILIES, Family, families_of_types
from netwright_predictor.isolation import Outcome, run_isolated

Verdict = Literal["exact", "off", "failed", "config_only"]
"""Equal to the count, module by module; not equal; no prediction or no count; there is no model to predict."""

LENGTH = 48
"""Tokens per sequence where the user names no number: more than any size that formulas are found at."""
GIB = 1 << 30


class TypeRecord(Record):
    """What became of one model type."""

    type: str
    family: Family
    verdict: Verdict
    reason: str | None = None
    """Why it is not exact, or at which other sizes it was counted."""
    model_class: str = ""
    parameters: int | None = None
    parameters_difference: int | None = None
    """Predicted minus those of the built model."""
    flops: int | None = None
    difference: int | None = None
    """Predicted FLOPs minus measured ones."""
    modules_off: int = 0
    """Modules whose own FLOPs differ."""
    derived_share: float | None = None
    uncounted_ops: list[str] = []
    image_tokens: int = 0
    """Tokens that an image took before each text; 0 where there was none."""
    seconds: float = 0.0


class FamilyMetrics(Record):
    """How many types of a family came out how."""

    types: int
    exact: int
    off: int
    failed: int


class CoverageMetrics(Record):
    """What the agent `predictor` found out about all types."""

    transformers: str
    types: int
    exact: int
    off: int
    failed: int
    config_only: int
    families: dict[str, FamilyMetrics]
    derived_share: float
    """The mean over exact types."""


def cover(config: PredictorConfig) -> list[TypeRecord]:
    """Predict and check every type that the settings choose, several at once, each in a child process.

    What is done is in the run's folder at once: a run that is resumed goes on with the rest.

    Raises:
        UserError: A type or family that the settings name does not exist.
    """
    families = _chosen(config)
    folder = current_run().folder
    log = folder.artifact("coverage") / "types.jsonl" if folder is not None else None
    records = {record.type: record for record in _read(log) if record.type in families}
    todo = [name for name in families if name not in records and families[name] != "config_only"]
    for name, family in families.items():
        if family == "config_only":
            reason = "transformers builds no model from it: it is a part of others"
            records[name] = TypeRecord(type=name, family=family, verdict="config_only", reason=reason)
    settings = config.coverage
    with current_run().step("check types", total=len(todo)) as step:
        for name, outcome in run_isolated(
            partial(examine, config=config),
            todo,
            workers=settings.workers or os.cpu_count() or 1,
            seconds=settings.seconds,
            memory=int(settings.memory_gb * GIB),
        ):
            records[name] = _record(name, families[name], outcome)
            if log is not None:
                append_json_line(log, records[name].model_dump(mode="json"))
            step.advance(1, **_counts(records.values()))
    ordered = [records[name] for name in families]
    if folder is not None:
        write_json(folder.artifact("coverage") / "coverage.json", [each.model_dump(mode="json") for each in ordered])
    return ordered


def examine(model_type: str, *, config: PredictorConfig) -> TypeRecord:
    """Predict one type from its default configuration and hold it against a count.

    Raises:
        UserError: It cannot be fed, or not be built from its default configuration.
        Exception: Whatever its own code raises.
    """
    from netwright_predictor.deployment import deployment
    from netwright_predictor.predictor import Predictor
    from netwright_predictor.subject import read_subject

    predictor = Predictor(
        read_subject(model_type),
        deployment(config),
        sequence=config.sequence_length,
        encoder=config.encoder_length,
    )
    longest = min(LENGTH, predictor.subject.longest)
    is_fixed = config.phase == "decode" or "S" not in predictor.feed.varying
    sequence = config.sequence_length or (None if is_fixed else longest)
    context = config.context_length or (longest if config.phase == "decode" else None)
    sizes = predictor.sizes(config.batch_size, sequence, context, config.encoder_length)
    check = predictor.check(sizes, seconds=config.check_seconds)
    model: Any = predictor.model
    built = int(model.num_parameters())  # as transformers counts them
    total = predictor.parameters.total
    verdict: Verdict = "off" if check.status == "off" or built != total else "exact"
    return TypeRecord(
        type=model_type,
        family="other",
        verdict="failed" if check.status == "not_measured" else verdict,
        reason=check.reason,
        model_class=predictor.subject.model_class.__name__,
        parameters=total,
        parameters_difference=total - built,
        flops=None if check.measured_flops is None else check.measured_flops + (check.difference or 0),
        difference=check.difference,
        modules_off=len(check.modules_off),
        derived_share=check.derived_share,
        uncounted_ops=check.uncounted_ops,
        image_tokens=predictor.feed.image_tokens,
    )


def coverage_metrics(records: Iterable[TypeRecord]) -> CoverageMetrics:
    """The records as numbers."""
    from transformers import __version__

    by_family: dict[str, Counter[str]] = {family: Counter() for family in FAMILIES}
    shares = []
    records = list(records)
    for record in records:
        by_family[record.family][record.verdict] += 1
        if record.verdict == "exact" and record.derived_share is not None:
            shares.append(record.derived_share)
    total: Counter[str] = sum(by_family.values(), Counter())
    return CoverageMetrics(
        transformers=__version__,
        types=len(records),
        exact=total["exact"],
        off=total["off"],
        failed=total["failed"],
        config_only=total["config_only"],
        families={
            family: FamilyMetrics(
                types=counts.total(), exact=counts["exact"], off=counts["off"], failed=counts["failed"]
            )
            for family, counts in by_family.items()
            if counts.total() and family != "config_only"
        },
        derived_share=sum(shares) / len(shares) if shares else 0.0,
    )


def _chosen(config: PredictorConfig) -> Mapping[str, Family]:
    every = families_of_types()
    settings = config.coverage
    for family in settings.families or ():
        if family not in FAMILIES:
            raise unknown_name("family", family, FAMILIES)
    for name in settings.types or ():
        if name not in every:
            raise unknown_name("transformers model type", name, every)
    chosen = {
        name: family
        for name, family in every.items()
        if (settings.families is None or family in settings.families)
        and (settings.types is None or name in settings.types)
    }
    if not chosen:
        raise UserError("no model type is left to check", why="agent.coverage names types of other families")
    return chosen


def _read(log: Path | None) -> list[TypeRecord]:
    """What an earlier part of this run has done."""
    found = []
    for line in read_json_lines(log) if log is not None else ():
        try:
            found.append(TypeRecord.model_validate(line))
        except ValidationError as error:
            raise NetwrightError(f"{log} is not what this version writes", why=str(error).splitlines()[0]) from None
    return found


def _record(name: str, family: Family, outcome: Outcome[TypeRecord]) -> TypeRecord:
    if outcome.value is None:
        return TypeRecord(
            type=name, family=family, verdict="failed", reason=outcome.failure, seconds=round(outcome.seconds, 2)
        )
    return outcome.value.model_copy(update={"family": family, "seconds": round(outcome.seconds, 2)})


def _counts(records: Iterable[TypeRecord]) -> dict[str, int]:
    counts = Counter(record.verdict for record in records)
    return {verdict: counts[verdict] for verdict in ("exact", "off", "failed")}
