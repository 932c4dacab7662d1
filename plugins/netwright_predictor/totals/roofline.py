"""The roofline: the least time that a phase can take on a device, by its arithmetic and by its memory."""

from netwright_predictor.prediction import Bound
from netwright_predictor.totals.hardware import Hardware


def bound(
    hardware: Hardware, number_format: str, *, flops: int, traffic_bytes: int, sent_bytes: int, tokens: int
) -> Bound:
    """The bound of one phase on one device (Williams, Waterman and Patterson, CACM 52(4), 2009).

    Arithmetic and memory overlap at best, so the longer of the two counts; communication between devices is added,
    since the layers that wait for it cannot go on.

    Args:
        number_format: What the matrix products are computed in.
        flops: FLOPs of this device.
        traffic_bytes: Bytes that it must at least read and write.
        sent_bytes: Bytes that it sends to other devices.
        tokens: Tokens that all devices together process.

    Raises:
        UserError: The device's rate in this format is not known, or its interconnect.
    """
    compute = 1e3 * flops / hardware.rate(number_format)
    memory = 1e3 * traffic_bytes / hardware.bandwidth
    communication = 1e3 * sent_bytes / hardware.link() if sent_bytes else 0.0
    latency = max(compute, memory) + communication
    longest = max((compute, "compute"), (memory, "memory"), (communication, "communication"))
    return Bound(
        hardware=hardware.name,
        compute_ms=compute,
        memory_ms=memory,
        communication_ms=communication,
        latency_ms=latency,
        limited_by=longest[1],
        tokens_per_second=1e3 * tokens / latency if latency else 0.0,
        flops_per_byte=flops / traffic_bytes if traffic_bytes else 0.0,
        peak_flops=hardware.rate(number_format),
        bandwidth=hardware.bandwidth,
        source=hardware.source,
    )
