"""The agent `predictor`: what one model costs, or how many models of transformers are predicted exactly."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from transformers.utils import logging

from netwright.agent import BaseAgent, Job
from netwright.context import current_run
from netwright.errors import UserError
from netwright.result import AgentResult
from netwright_predictor.config import PredictorConfig
from netwright_predictor.coverage import cover, coverage_metrics
from netwright_predictor.coverage_report import coverage_artifacts, coverage_blocks, coverage_measurements
from netwright_predictor.deployment import deployment
from netwright_predictor.figures import PredictorMetrics
from netwright_predictor.predictor import Predictor
from netwright_predictor.report import Sweep, blocks, measurements
from netwright_predictor.subject import Subject, read_subject
from netwright_predictor.totals.hardware import find_hardware
from netwright_predictor.tracing.sizes import Sizes

SCHEME = "hf:"
ALL = "hf:all"
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
"""Batch sizes of the plot of memory."""
LENGTHS = tuple(128 << power for power in range(11))
"""Lengths of the plot of memory: 128 to 131,072."""


class PredictorAgent(BaseAgent[Job, AgentResult]):
    """Predicts a transformers model from its configuration, and holds the prediction against a count."""

    config_class = PredictorConfig
    config: PredictorConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You say what a language model costs in arithmetic, memory and time, from its configuration alone."

    def execute(self, input_data: Job) -> AgentResult:
        """Predict the job's case; for the case `hf:all`, every model type of the installed transformers.

        Raises:
            UserError: The case is no configuration of transformers, or a setting does not go with it.
            NetwrightError: The model cannot be built without weights, or its forward fails.
        """
        with _silent_transformers():
            return self._cover() if input_data.case == ALL else self._predict(_subject(input_data))

    def _predict(self, subject: Subject) -> AgentResult:
        config = self.config
        hardware = find_hardware(config.hardware)
        with current_run().step(f"trace {subject.name}"):
            predictor = Predictor(
                subject, deployment(config), sequence=config.sequence_length, encoder=config.encoder_length
            )
        sizes = predictor.sizes(config.batch_size, config.sequence_length, config.context_length, config.encoder_length)
        with current_run().step("predict"):
            prediction = predictor.predict(sizes, hardware=hardware)
        if config.check:
            with current_run().step("count") as step:
                check = predictor.check(sizes, seconds=config.check_seconds)
                step.facts.update(status=check.status)
            prediction = prediction.model_copy(update={"check": check})
        return AgentResult(
            metrics=PredictorMetrics.of(prediction),
            measurements=measurements(prediction),
            blocks=blocks(prediction, *_sweeps(predictor, sizes)),
            provenance=prediction.provenance,
            modules=[prediction.tree.model_dump(mode="json")],
        )

    def _cover(self) -> AgentResult:
        records = cover(self.config)
        metrics = coverage_metrics(records)
        return AgentResult(
            metrics=metrics,
            measurements=coverage_measurements(metrics),
            blocks=coverage_blocks(records, metrics),
            artifacts=coverage_artifacts(),
        )


@contextmanager
def _silent_transformers() -> Iterator[None]:
    """Inside the block, transformers logs errors only: its advice is about models with weights."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _subject(job: Job) -> Subject:
    case = job.case or ""
    if not case.startswith(SCHEME):
        raise UserError(
            f"agent 'predictor' cannot predict '{case}'",
            why="it reads configurations of transformers",
            remedy="name a model type (case=hf:llama) or a file (case=hf:path/to/config.json)",
        )
    constants = job.case_options.constants or {}
    for size in ("batch_size", "sequence_length"):
        if size in constants:
            raise UserError(
                f"'case_options.constants.{size}' does not go with agent 'predictor'", remedy=f"write agent.{size}=N"
            )
    return read_subject(case, constants)


def _sweeps(predictor: Predictor, sizes: Sizes) -> tuple[Sweep, Sweep]:
    """Memory at other lengths, of what grows in this phase, and at other batch sizes."""
    growing = "context" if predictor.phase == "decode" else "sequence"
    varying = predictor.feed.varying
    asked = getattr(sizes, growing)
    by_length = {asked, *LENGTHS} if ("C" if growing == "context" else "S") in varying else ()
    return _memory(predictor, sizes, growing, by_length), _memory(predictor, sizes, "batch", {sizes.batch, *BATCHES})


def _memory(predictor: Predictor, sizes: Sizes, name: str, values: Iterable[int]) -> Sweep:
    return {value: predictor.memory(sizes.model_copy(update={name: value})) for value in sorted(values) if value}
