"""The prediction: what a model costs, as typed records; `result.json` holds them under `metrics`."""

from typing import Any, Literal

from netwright.result import Record
from netwright_predictor.tracing.sizes import Phase, Sizes

How = Literal["formula", "derived", "measured", "nothing", "not called", "unknown"]
"""Hand-written formula; formula fitted to counts; counted at these very sizes; no arithmetic; not called in this phase;
none of these."""


class Parameters(Record):
    """How many numbers a model learns."""

    total: int
    """Each once, tied ones too."""
    active: int
    """Those that take part in computing one token: of a layer's experts, those that are routed to."""
    trainable: int
    embedding: int
    """In lookup tables of tokens and positions; a table that is also the head's weight counts here."""
    by_dtype: dict[str, int] = {}


class Flops(Record):
    """Floating-point operations."""

    forward: int
    backward: int
    """Of the backward pass; 0 in phases without one."""
    recomputation: int = 0
    """Of the forward passes that activation checkpointing repeats."""
    other: int = 0
    """Of everything but matrix products, convolutions and attention, forward."""
    per_token: float
    """Forward and backward, per token."""
    convention: str
    """What counts, in words."""


class KvCache(Record):
    """What a model remembers of earlier tokens."""

    bytes_per_token: float
    """Per sequence, for one token more; 0 where the state does not grow."""
    bytes: int
    """For all sequences of the batch at their full length."""
    state_bytes: int = 0
    """The part that does not grow with the length, such as the state of a state-space layer or a full window."""
    latent_bytes_per_token: int | None = None
    """Where attention is latent (MLA), bytes per token of the compressed latents that an engine may cache instead of
    the keys and values that transformers caches; None elsewhere."""


class Memory(Record):
    """Bytes on one device, at the peak of the phase."""

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    """Training: what is kept from the forward pass and the loss for the backward pass. Otherwise: the most that a
    forward holds at once besides weights and cache."""
    kv_cache_bytes: int = 0
    total_bytes: int
    """At the peak, which may be less than the sum of the parts: gradients come as activations go."""
    peak: Literal["forward", "backward", "optimizer step", "unknown"] = "unknown"
    """When the peak is."""
    device_bytes: int | None = None
    """What the hardware has; None where none was named."""
    fits: bool | None = None
    """Whether the total is at most that."""


class Device(Record):
    """What one device of several does; the fullest one, where they differ."""

    devices: int
    """How many there are."""
    parameters: int
    batch: int
    """Sequences that it sees."""
    flops: int
    """Forward, backward and recomputed, of a step."""
    sent_bytes: dict[str, int] = {}
    """Bytes that it sends in a step, by what for: "tensor", "pipeline", "data", "expert"."""


class Bound(Record):
    """The least time that a phase can take, by the roofline of the hardware."""

    hardware: str
    compute_ms: float
    memory_ms: float
    communication_ms: float = 0.0
    latency_ms: float
    """The greater of computing and moving memory, plus what communication cannot hide."""
    limited_by: Literal["compute", "memory", "communication"]
    tokens_per_second: float
    flops_per_byte: float
    peak_flops: float
    """Floating-point operations per second that the hardware reaches at best in the phase's number format."""
    bandwidth: float
    """Bytes per second that its memory moves at best."""
    source: str
    """Where the hardware's numbers come from."""


class Latency(Record):
    """Bounds per phase; None where a phase does not apply or no hardware was named."""

    prefill: Bound | None = None
    decode: Bound | None = None
    train: Bound | None = None


class Check(Record):
    """The prediction held against a count of the same forward."""

    status: Literal["exact", "off", "not_measured"]
    measured_flops: int | None = None
    difference: int | None = None
    """Predicted minus measured."""
    uncounted_ops: list[str] = []
    """Operators that multiply and that no formula of the counter covers."""
    derived_share: float = 0.0
    """The part of the predicted FLOPs that no hand-written formula gives."""
    modules_off: dict[str, int] = {}
    """By path, predicted minus measured, of the modules themselves without their children."""
    reason: str | None = None
    """Why it was not measured, or at which other sizes it was."""
    sizes: Sizes | None = None
    """The sizes of the forward that was counted."""


class Module(Record):
    """One module, or several alike, in the tree."""

    name: str
    """Its last name, "0-31" for several alike."""
    path: str
    """Of the first of them."""
    class_path: str
    repeat: int = 1
    parameters: int = 0
    """Of one of them with its children; tied ones count at each place."""
    flops: int = 0
    """Forward, of one of them with its children."""
    own_flops: int = 0
    weights_bytes: int = 0
    """Of one of them with its children, as they are stored."""
    reads_bytes: int = 0
    """Of one of them without its children."""
    writes_bytes: int = 0
    how: How = "nothing"
    analyzer: str = ""
    formula: str = ""
    """FLOPs as a polynomial, where it was derived."""
    values: dict[str, int] = {}
    """What the formulas were given."""
    children: list["Module"] = []


class Prediction(Record):
    """What a model costs in one phase at one set of sizes."""

    model: str
    model_class: str
    dtype: str
    phase: Phase
    sizes: Sizes
    parameters: Parameters
    flops: Flops
    kv_cache: KvCache
    memory: Memory
    """On one device, under the parallelism that was asked for."""
    traffic_bytes: int
    """Bytes that a forward reads and writes, each operator by itself."""
    device: Device
    latency: Latency
    check: Check
    tree: Module
    provenance: dict[str, Any] = {}
    """Per module class and parameter, the rule and the place that its value comes from."""
    notes: list[str] = []
    """What was assumed, and what is not known."""
