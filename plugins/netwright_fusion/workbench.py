"""The workbench: the case, its graph and the engineer, for the nodes of the workflow to work with."""

from functools import cached_property
from pathlib import Path
from threading import Lock

import torch

from netwright.agent import Job
from netwright.cases import Case, load_case
from netwright.context import current_run
from netwright.errors import MissingDependencyError
from netwright.harness.baselines import baseline_variant
from netwright.harness.draws import draw_call, draw_module
from netwright.harness.judge import Judge
from netwright.harness.oracle import working_dtype
from netwright.harness.protocol import Draw
from netwright.harness.variant import Variant
from netwright.machine import usable_cores
from netwright_fusion.capture import Captured, CaptureError, capture
from netwright_fusion.config import FusionConfig
from netwright_fusion.engineer import Engineer, explain
from netwright_fusion.origin import origin_of

PATIENCE = 5.0
"""What runs in a cage finds nothing compiled beforehand, and a busy machine keeps everybody waiting."""


class Workbench:
    """One job's surroundings; everything in it can be made anew from the job, so that a resumed run has it, too.

    Close it when the job is done.

    Args:
        root: The run's folder.
    """

    def __init__(self, job: Job, config: FusionConfig, root: Path) -> None:
        assert job.case is not None
        self.job = job
        self.name = job.case
        self.config = config
        self.root = root
        self.draw = Draw(seed=job.seed, weight_seed=job.seed)
        self._judge: Judge | None = None
        self._lock = Lock()

    @cached_property
    def case(self) -> Case:
        """The case.

        Raises:
            UserError: There is no such case.
        """
        return load_case(self.name, self.job.case_options)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The floating-point type that the case works in."""
        return working_dtype(draw_module(self.case, self.draw), draw_call(self.case, self.draw))

    @cached_property
    def mode(self) -> str:
        """The mode that the case's module is in as a whole."""
        return "train" if draw_module(self.case, self.draw).training else "eval"

    @cached_property
    def captured(self) -> Captured | CaptureError:
        """The case's graph, or why there is none."""
        module, inputs = draw_module(self.case, self.draw), draw_call(self.case, self.draw)
        with current_run().step("capture"):
            try:
                return capture(module, inputs)
            except CaptureError as error:
                return error
            except Exception as error:  # tracing a stranger's module may end in anything
                return CaptureError("the forward cannot be captured", why=explain(error))

    @cached_property
    def engineer(self) -> Engineer:
        """The engineer of this case."""
        captured = self.captured if isinstance(self.captured, Captured) else None
        origin = origin_of(self.case, draw_module(self.case, self.draw))
        return Engineer(self.case, origin, captured, self.root, seed=self.job.seed)

    @cached_property
    def baselines(self) -> list[Variant]:
        """The job's baselines that can be run here; `eager` is always among them, because speed-ups refer to it."""
        found = []
        for name in dict.fromkeys(("eager", *self.job.baselines)):
            try:
                found.append(baseline_variant(name, self.job.baseline_options.get(name)))
            except MissingDependencyError as error:
                current_run().warn(str(error))
        return found

    @property
    def judge(self) -> Judge:
        """Who knows what the unmodified module does, for all verifications of this job.

        One whose process has died is replaced. It ends with `close`.
        """
        with self._lock:
            if self._judge is None or not self._judge.alive:
                self.close()
                options, threads = self.job.case_options, self.config.timing.threads or usable_cores()
                limit = self.patience_s
                self._judge = Judge(self.name, options, threads=threads, seed=self.job.seed, call_timeout=limit)
            return self._judge

    @property
    def patience_s(self) -> float:
        """How long to wait for a compilation that the trial has seen to end within its box; here, waiting counts."""
        return PATIENCE * self.config.timing.compile_timeout_s

    def close(self) -> None:
        """End the judge's process."""
        if self._judge is not None:
            self._judge.close()

    @property
    def on_cpu(self) -> bool:
        """Whether the case runs on the CPU, where Triton kernels cannot be timed."""
        return torch.device(self.case.options.device).type == "cpu"
