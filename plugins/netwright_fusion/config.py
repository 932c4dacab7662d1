"""Settings of the fusion agent."""

from typing import Literal

from pydantic import Field

from netwright.config import Config
from netwright.harness.examination import VerificationConfig
from netwright.harness.timing import TimingConfig

Execution = Literal["eager", "compiled", "frozen", "max-autotune", "frozen max-autotune"]


class FusionConfig(Config):
    """Settings of the agent `fusion`."""

    rules: bool = True
    """Whether to rewrite the graph."""
    skip: tuple[str, ...] = ()
    """Rules, by name, or single steps of a plan, to leave out."""
    kernels: bool = True
    """Whether to write Triton kernels; without a CUDA device they are verified under the interpreter and not timed."""
    executions: tuple[Execution, ...] = ("eager", "compiled", "frozen", "max-autotune", "frozen max-autotune")
    """Ways of executing a rewritten graph that may be tried."""
    finalists: int = Field(default=1, ge=1)
    """How many candidates, of those that a quick trial finds fastest, are verified and timed by the harness."""
    least_gain: float = Field(default=1.02, ge=1)
    """A candidate that is less faster than the fastest baseline than this is not worth another file: the baseline is
    handed back."""
    rounds: int = Field(default=3, ge=1)
    """How often the plan may be carried out anew, without the steps that failed."""
    trial_box_s: float = Field(default=150.0, gt=0)
    """Time budget of a trial: what has not begun by then is left out, and the result says so."""
    interpreter_box_s: float = Field(default=30.0, gt=0)
    """Longest wait for one call under Triton's interpreter; once a third is used up, no draws follow the first ones."""
    archive: bool = True
    """Whether to close the run into a bundle under `archive/`."""
    experiment: str | None = None
    """The experiment's name in the bundle's; null takes the preset's, or agent and case."""
    written_candidates: int = Field(default=1, ge=0)
    """How many whole candidates a language model may write, where one is configured."""
    written_repairs: int = Field(default=2, ge=0)
    """How often it may repair one that fails a check."""
    timing: TimingConfig = TimingConfig(max_seconds=1.5, margin=0.01, compile_timeout_s=120.0)
    """How long and in what cache state finalists and baselines are timed. What takes longer than `compile_timeout_s` to
    compile is not timed, and the result says so."""
    verification: VerificationConfig = VerificationConfig(every_failure=False)
    """How closely the harness looks at what they compute."""
