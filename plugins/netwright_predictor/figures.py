"""What `result.json` holds of a prediction under `metrics`: everything but the tree and where values come from."""

from netwright.result import Record
from netwright_predictor.prediction import Check, Flops, KvCache, Latency, Memory, Parameters, Prediction
from netwright_predictor.tracing.sizes import Phase, Sizes


class PredictorMetrics(Record):
    """What the agent `predictor` found out about a model."""

    model_class: str
    dtype: str
    phase: Phase
    sizes: Sizes
    parameters: Parameters
    flops: Flops
    kv_cache: KvCache
    memory: Memory
    traffic_bytes: int
    latency: Latency
    check: Check
    notes: list[str]

    @classmethod
    def of(cls, prediction: Prediction) -> "PredictorMetrics":
        """The figures of a prediction."""
        return cls(**{name: getattr(prediction, name) for name in cls.model_fields})
