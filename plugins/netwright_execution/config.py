"""Settings of the benchmark agent and of the compiling baselines."""

from netwright.config import Config
from netwright.harness.examination import VerificationConfig
from netwright.harness.timing import TimingConfig


class CompileOptions(Config):
    """What torch.compile is told beside its mode."""

    fullgraph: bool = False
    """Whether code that cannot be captured in one graph is an error."""
    dynamic: bool | None = None
    """Whether sizes are compiled as symbols; null compiles for the sizes seen, until another comes."""


class BenchmarkConfig(Config):
    """Settings of the agent `benchmark`."""

    metrics: tuple[str, ...] = ("latency_ms", "throughput", "peak_memory_bytes", "parameters", "macs", "flops")
    """Registered metrics of timings and models, any plugin's."""
    timing: TimingConfig = TimingConfig()
    """How long and in what cache state to time."""
    verification: VerificationConfig = VerificationConfig()
    """How closely to look at what each baseline computes."""
    profile: bool = False
    """Whether to write a Chrome trace per baseline and report its most expensive operators."""
