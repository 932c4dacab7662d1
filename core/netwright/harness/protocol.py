"""What the judge asks of a worker and what a worker answers: typed messages, nothing of torch."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from netwright.cases import CaseOptions, Distribution, Tolerance
from netwright.harness.variant import Variant
from netwright.result import Record

ANSWERED, FAILED = "answered", "failed"
"""The second word of an answer; a reply or a `Failure` follows as JSON.

The first word of a request is a token that nobody can guess, and its answer begins with it: what was written to the
channel before the request cannot pass for the answer.
"""

Cache = Literal["cold", "warm"]


class Draw(Record):
    """One set of weights and inputs, by the numbers that they are drawn from: the same in every process."""

    seed: int = 0
    """What the inputs are drawn from."""
    distribution: Distribution = "normal"
    weight_seed: int = 0
    """What the weights are drawn from."""
    perturbed: bool = False
    """Whether noise is added to the initial weights, so that none is zero or one and no two are alike."""
    special: Literal["nan", "inf"] | None = None
    """A value put into one element of every floating-point input."""
    strided: bool = False
    """Whether inputs are handed over with gaps between their elements."""
    resized: bool = False
    """Whether the size of the inputs' common first dimension is another than the case's."""
    nonce: int = 0
    """Another number than 0 varies the inputs' contents within the same distribution."""

    def __str__(self) -> str:
        parts = [f"inputs {self.seed} {self.distribution}"]
        parts += [f"weights {self.weight_seed}{' perturbed' if self.perturbed else ''}"] if self.weight_seed else []
        parts += [f"with {self.special}"] if self.special else []
        parts += ["strided"] if self.strided else []
        parts += ["another batch size"] if self.resized else []
        parts += [f"variation {self.nonce}"] if self.nonce else []
        return ", ".join(parts)


class Load(Record):
    """The first request: build the case, then the variant. Answered by `Loaded`."""

    kind: Literal["load"] = "load"
    case: str
    options: CaseOptions
    variant: Variant
    threads: int
    weight_seed: int = 0


class Run(Record):
    """One call whose every effect is looked at. Answered by `Observed`."""

    kind: Literal["run"] = "run"
    draw: Draw


class Expect(Record):
    """One call of the unmodified module, and one in float64. Answered by `Expectation`; for reference workers only."""

    kind: Literal["expect"] = "expect"
    draw: Draw
    precision: str | None = None
    """The floating-point type in which the module's own error is measured; null means the case's own."""


class Provide(Record):
    """The inputs of a call, in their order, by number. Answered by `Number`: how many they are."""

    kind: Literal["provide"] = "provide"
    draw: Draw


class WarmUp(Record):
    """Calls until their times are stable. Answered by `WarmedUp`."""

    kind: Literal["warm_up"] = "warm_up"
    draw: Draw
    seconds: float


class Time(Record):
    """Timed calls on the draw of the warm-up. Answered by `Times`."""

    kind: Literal["time"] = "time"
    nonces: tuple[int, ...]
    """One sample each: the variation of the inputs that it runs on."""
    batch: int = 1
    """Calls per sample, back to back."""
    cache: Cache


class Prove(Record):
    """Single calls on the draw of the warm-up, with a digest of every output. Answered by `Proved`."""

    kind: Literal["prove"] = "prove"
    nonces: tuple[int, ...]
    """One call each: the variation of the inputs that it runs on."""


class Reveal(Record):
    """The outputs of some of the last `Prove`'s calls. Answered by `Number`: how many calls there are."""

    kind: Literal["reveal"] = "reveal"
    calls: tuple[int, ...]
    """Their numbers, from 0."""


class Recall(Record):
    """The output of one of the last `Time`'s calls, picked at random when it returned. Answered by `Recalled`."""

    kind: Literal["recall"] = "recall"


class Profile(Record):
    """Profiled calls on the draw of the warm-up. Answered by `Profiled`."""

    kind: Literal["profile"] = "profile"
    calls: int
    trace: Path | None = None
    """Where to write the Chrome trace."""


class Memory(Record):
    """The most memory that a call takes. Answered by `Number`."""

    kind: Literal["memory"] = "memory"


class ModelMetric(Record):
    """A metric of the variant's module. Answered by `Number`."""

    kind: Literal["model_metric"] = "model_metric"
    target: str


class Bandwidth(Record):
    """The bytes per second at which a working set of that size can be read and written. Answered by `Number`."""

    kind: Literal["bandwidth"] = "bandwidth"
    working_set: int


class PeakRate(Record):
    """The floating-point operations per second of a large matrix product. Answered by `Number`."""

    kind: Literal["peak_rate"] = "peak_rate"
    dtype: str


class TouchedBytes(Record):
    """The bytes of inputs and outputs that any correct variant must touch in a call. Answered by `Number`."""

    kind: Literal["touched_bytes"] = "touched_bytes"
    draw: Draw


Request = Annotated[
    Load
    | Run
    | Expect
    | Provide
    | WarmUp
    | Time
    | Prove
    | Reveal
    | Recall
    | Profile
    | Memory
    | ModelMetric
    | Bandwidth
    | PeakRate
    | TouchedBytes,
    Field(discriminator="kind"),
]


class LeafFacts(Record):
    """Everything about one output tensor but its values."""

    type: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None
    device: str
    aliases: tuple[str, ...] = ()
    """The inputs, parameters and buffers that it shares memory with."""


class Loaded(Record):
    """A worker that is ready."""

    seconds: float
    settings: dict[str, str]
    """Torch's thread counts and precision flags before the variant was imported."""
    device: str
    """The case's device, resolved."""
    dtype: str
    """The floating-point type of the case's weights, or of its inputs where it has none."""
    batch_size: int
    input_bytes: int
    floating_inputs: bool
    tolerance: Tolerance


class Observed(Record):
    """What one call did; the tensors "output/0"... and "state/NAME" of what it changed travel beside it."""

    structure: str
    leaves: tuple[LeafFacts, ...]
    changed: tuple[str, ...]
    """Inputs, parameters, buffers and plain attributes whose bytes the call changed."""
    seconds: float
    """Wall time of the call; in the first one, compilers compile."""
    poisoned: bool
    """Whether memory was filled with NaN before the call."""
    unfinished: bool
    """Whether its outputs were still written after it returned."""
    settings: dict[str, str]


class Expectation(Record):
    """What the unmodified module does; tensors are named "eager ...", "oracle ..." and "yardstick ..."."""

    structure: str
    leaves: tuple[LeafFacts, ...]
    changed: tuple[str, ...]
    yardstick_scale: float = 1.0
    """What the yardstick's error is multiplied with to stand for the module's own."""
    calibration: dict[str, float] = {}
    """Per tensor of few elements, the largest error of the module over further draws, relative to rms."""
    oracle_failure: str = ""
    """Why there is no float64 result."""


class WarmedUp(Record):
    """What the warm-up saw."""

    first_call_s: float
    call_ms: float
    eviction_ms: float


class Times(Record):
    """Latencies per call, one per sample, in ms."""

    times_ms: tuple[float, ...]
    batch: int
    """Calls per sample: one where a call's result depends on those before it."""
    settings: dict[str, str]


class Proved(Record):
    """What came of calls: outputs that `Reveal` shows must have these digests."""

    call_ms: float
    """What the calls took together, by the worker's clock."""
    processor_ms: float
    """Processor time of the worker's threads in these calls, together."""
    digests: dict[str, str]
    """By "CALL/output INDEX"."""


class Recalled(Record):
    """One timed call; its output travels beside it as in `Observed`."""

    nonce: int
    structure: str
    leaves: tuple[LeafFacts, ...]


class OpTime(Record):
    """One operator or kernel of a profile."""

    name: str
    device: str
    calls: int
    self_ms: float
    total_ms: float
    annotation: bool = False
    """Whether it is but a label that the variant's own code put around something."""


class Profiled(Record):
    """What the profiler saw of the calls together."""

    profiled_calls: int
    ops: tuple[OpTime, ...]
    dtypes: dict[str, int]
    """Per floating-point type of an operator's arguments, the number of operators that had it."""
    flops: int
    """Floating-point operations per call, of the operators that the profiler has formulas for."""
    allocated_bytes: int | None
    """The most that one call held at a time beyond what was there before it."""


class Number(Record):
    """One number, or why there is none."""

    value: float | None
    not_measured: str | None = None


class Failure(Record):
    """A request that could not be answered."""

    stage: Literal["case", "variant", "call", "integrity"]
    """What failed: the case's own code, loading the variant, calling it, or code that the worker relies on."""
    what: str
    why: str = ""
    remedy: str = ""
    user_error: bool = False
    traceback: str = ""
