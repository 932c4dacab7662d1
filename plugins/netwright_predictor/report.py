"""What a prediction tells: rows for sweeps, the tree and tables for the terminal, plots for the page."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from netwright.formatting import format_bytes, format_number
from netwright.result import Block, Measurement, PlotBlock, Series, TableBlock
from netwright_predictor.prediction import Bound, Check, Memory, Module, Prediction
from netwright_predictor.tree import class_name, tree_block

Sweep = Mapping[int, Memory]
"""Memory by a size."""
NOTHING: Sweep = MappingProxyType({})
LABEL = "predicted"
BUILT = "built model"
"""Known by counting what the skeleton of the model has."""
RECORDED = "derived"
"""Known by formulas that were fitted to steps on fake tensors."""
TOP = 8
"""Classes of modules that a plot shows by name; the rest is one bar."""
RIDGE = (0.1, 10.0)
"""How far beside the phases and the ridge point the roofline is drawn."""


def blocks(prediction: Prediction, lengths: Sweep = NOTHING, batches: Sweep = NOTHING) -> list[Block]:
    """The tree, tables and plots, in the order of the report.

    Args:
        lengths: Memory of the same model at other lengths.
        batches: Memory of the same model at other batch sizes.
    """
    shown: list[Block] = [tree_block(prediction.tree), _totals_table(prediction)]
    bounds = _bounds(prediction)
    if bounds:
        shown.append(_latency_table(bounds))
    shown.append(_check_table(prediction))
    shown += [
        _by_class("Where FLOPs go", "FLOPs of one forward", prediction.tree, lambda module: module.own_flops),
        _by_class(
            "Where bytes go",
            "bytes read and written in one forward",
            prediction.tree,
            lambda module: module.reads_bytes + module.writes_bytes,
        ),
    ]
    length = "tokens in the cache" if prediction.phase == "decode" else "tokens per sequence"
    shown += [_memory_plot(sweep, label) for sweep, label in ((lengths, length), (batches, "batch size")) if sweep]
    if bounds:
        shown.append(_roofline_plot(bounds))
    return shown


def measurements(prediction: Prediction) -> list[Measurement]:
    """One row per figure, so that `netwright collect` puts predictions beside each other."""
    stage = prediction.phase
    figures: list[tuple[str, float, str]] = [
        ("parameters", prediction.parameters.total, "parameters"),
        ("parameters_active", prediction.parameters.active, "parameters"),
        ("flops", prediction.flops.forward, "FLOPs"),
        ("flops_backward", prediction.flops.backward, "FLOPs"),
        ("kv_cache_bytes", prediction.kv_cache.bytes, "bytes"),
        ("kv_cache_bytes_per_token", prediction.kv_cache.bytes_per_token, "bytes"),
        ("weights_bytes", prediction.memory.weights_bytes, "bytes"),
        ("activations_bytes", prediction.memory.activations_bytes, "bytes"),
        ("memory_bytes", prediction.memory.total_bytes, "bytes"),
        ("traffic_bytes", prediction.traffic_bytes, "bytes"),
    ]
    for phase, bound in _bounds(prediction).items():
        figures.append((f"{phase}_bound_ms", bound.latency_ms, "ms"))
    rows = [
        Measurement(label=LABEL, metric=metric, value=float(value), unit=unit, stage=stage)
        for metric, value, unit in figures
    ]
    check = prediction.check
    rows.append(
        Measurement(
            label=LABEL,
            metric="flops_difference",
            value=None if check.difference is None else float(check.difference),
            unit="FLOPs",
            stage=stage,
            not_measured=check.reason or "no check was made" if check.difference is None else None,
        )
    )
    return rows


def _totals_table(prediction: Prediction) -> TableBlock:
    return TableBlock(
        title=f"{prediction.model_class} in {prediction.dtype}: {_sizes(prediction)}",
        columns=["figure", "value", "known by"],
        rows=[[name, value, known] for name, value, known in _totals(prediction)],
        numeric=[False, True, False],
        caption=" ".join(
            [f"Counted: {prediction.flops.convention}.", *(f"Note: {note.rstrip('.')}." for note in prediction.notes)]
        ),
    )


def _totals(prediction: Prediction) -> Iterator[tuple[str, str, str]]:
    """Figure, value and how it is known; figures that are 0 only where that says something."""
    parameters, flops, cache = prediction.parameters, prediction.flops, prediction.kv_cache
    by_flops = flops_known_by(prediction)
    yield "parameters", format_number(parameters.total), BUILT
    yield "  active per token", format_number(parameters.active), "formula"
    yield "  trainable", format_number(parameters.trainable), BUILT
    yield "  in embeddings", format_number(parameters.embedding), BUILT
    yield "FLOPs forward", format_number(flops.forward), by_flops
    if flops.backward:
        yield "FLOPs backward", format_number(flops.backward), by_flops
    if flops.recomputation:
        yield "FLOPs of recomputation", format_number(flops.recomputation), "formula"
    yield "FLOPs per token", format_number(flops.per_token), by_flops
    yield "other operations", format_number(flops.other), "formula, not counted"
    if cache.bytes:
        yield "KV cache", format_bytes(cache.bytes), RECORDED
        yield "  per token", format_bytes(cache.bytes_per_token), RECORDED
    if cache.latent_bytes_per_token not in (None, round(cache.bytes_per_token)):
        yield "  per token, as latents", format_bytes(cache.latent_bytes_per_token), "formula"
    yield from _memory_rows(prediction)
    yield "traffic of a forward", format_bytes(prediction.traffic_bytes), "formula, not measured"


def _memory_rows(prediction: Prediction) -> Iterator[tuple[str, str, str]]:
    memory, device = prediction.memory, prediction.device
    if device.devices > 1:
        yield "devices", str(device.devices), "asked for"
        yield "parameters of one", format_number(device.parameters), "formula"
        for axis, sent in device.sent_bytes.items():
            yield f"  it sends, {axis}", format_bytes(sent), "formula"
    for name, value, known in (
        ("weights", memory.weights_bytes, BUILT),
        ("gradients", memory.gradients_bytes, "formula"),
        ("optimizer state", memory.optimizer_bytes, "formula"),
        ("activations", memory.activations_bytes, RECORDED),
        ("KV cache", memory.kv_cache_bytes, RECORDED),
    ):
        if value:
            yield f"memory: {name}", format_bytes(value), known
    moment = "" if memory.peak == "unknown" else f", in the {memory.peak}"
    yield "memory at the peak", format_bytes(memory.total_bytes), f"{RECORDED}{moment}"
    if memory.device_bytes is not None:
        fits = "it fits" if memory.fits else "it does not fit"
        yield "memory of the device", format_bytes(memory.device_bytes), f"given; {fits}"


def flops_known_by(prediction: Prediction) -> str:
    """How the total of FLOPs is known: by formulas, by derived ones, and whether a count agrees."""
    derived = prediction.check.derived_share
    known = "formula" if not derived else f"{100 * (1 - derived):.1f} % formula, {100 * derived:.1f} % derived"
    return f"{known}; {check_line(prediction.check)}"


def check_line(check: Check) -> str:
    """The outcome of a check in a few words."""
    if check.status == "exact":
        return "count equal"
    if check.status == "off":
        return f"count differs by {format_number(check.difference or 0)}"
    return "not measured"


def _sizes(prediction: Prediction) -> str:
    sizes = prediction.sizes
    facts = [f"batch {sizes.batch}", f"{sizes.sequence:,} new tokens"]
    if sizes.context:
        facts.append(f"{sizes.context:,} in the cache")
    if sizes.encoder:
        facts.append(f"{sizes.encoder:,} positions in the encoder")
    return f"{prediction.phase} of {', '.join(facts)}"


def _latency_table(bounds: Mapping[str, Bound]) -> TableBlock:
    first = next(iter(bounds.values()))
    return TableBlock(
        title=f"Least time on {first.hardware}",
        columns=["phase", "compute ms", "memory ms", "network ms", "bound ms", "limited by", "tokens/s"],
        rows=[
            [
                phase,
                *(
                    format_number(value)
                    for value in (bound.compute_ms, bound.memory_ms, bound.communication_ms, bound.latency_ms)
                ),
                bound.limited_by,
                format_number(bound.tokens_per_second),
            ]
            for phase, bound in bounds.items()
        ],
        numeric=[False, True, True, True, True, False, True],
        caption=f"Roofline bounds by formula, not measured: nothing can be faster. {first.source}.",
    )


def _check_table(prediction: Prediction) -> TableBlock:
    check = prediction.check
    rows = [["status", check.status]]
    if check.measured_flops is not None:
        rows += [
            ["predicted FLOPs", f"{check.measured_flops + (check.difference or 0):,}"],
            ["measured FLOPs", f"{check.measured_flops:,}"],
            ["difference", f"{check.difference or 0:,}"],
        ]
    rows.append(["share of derived formulas", f"{100 * check.derived_share:.2f} %"])
    if check.uncounted_ops:
        rows.append(["not counted", ", ".join(check.uncounted_ops)])
    if check.reason:
        rows.append(["note", check.reason])
    rows += [[f"off: {path or 'the model itself'}", f"{value:,}"] for path, value in check.modules_off.items()]
    return TableBlock(
        title="Check against torch's flop counter",
        columns=["what", "value"],
        rows=rows,
        numeric=[False, False],
        caption="The same forward on fake tensors, compared module by module.",
        compact=check.status != "exact",
    )


def _bounds(prediction: Prediction) -> dict[str, Bound]:
    latency = prediction.latency
    found = {"prefill": latency.prefill, "decode": latency.decode, "train": latency.train}
    return {phase: bound for phase, bound in found.items() if bound is not None}


def _walk(module: Module, times: int = 1) -> Iterator[tuple[Module, int]]:
    """Every module with how often it is there."""
    times *= module.repeat
    yield module, times
    for child in module.children:
        yield from _walk(child, times)


def _by_class(title: str, label: str, root: Module, figure: Callable[[Module], int]) -> PlotBlock:
    sums: Counter[str] = Counter()
    for module, times in _walk(root):
        sums[class_name(module)] += figure(module) * times
    top = [(name, value) for name, value in sums.most_common(TOP) if value]
    rest = sum(sums.values()) - sum(value for _, value in top)
    if rest:
        top.append(("all others", rest))
    return PlotBlock(
        title=title,
        mark="bars",
        x_label="class of module",
        y_label=label,
        series=[Series(label=label, x=[name for name, _ in top], y=[float(value) for _, value in top])],
        caption="What modules do themselves, without those inside of them.",
    )


def _memory_plot(sweep: Sweep, label: str) -> PlotBlock:
    """Memory by part, against one of the sizes."""
    parts = {
        "weights": "weights_bytes",
        "gradients": "gradients_bytes",
        "optimizer": "optimizer_bytes",
        "activations": "activations_bytes",
        "KV cache": "kv_cache_bytes",
        "peak": "total_bytes",
    }
    series = [
        Series(
            label=part, x=[float(size) for size in sweep], y=[float(getattr(memory, name)) for memory in sweep.values()]
        )
        for part, name in parts.items()
    ]
    return PlotBlock(
        title=f"Memory against {label}",
        mark="line",
        x_label=label,
        y_label="bytes on one device",
        series=[each for each in series if all(each.y)],
        x_scale="log",
        y_scale="log",
        caption="By the same formulas as the totals, at other sizes.",
    )


def _roofline_plot(bounds: Mapping[str, Bound]) -> PlotBlock:
    """The roof that the hardware sets, and where the phases lie below it."""
    roof = next(iter(bounds.values()))
    peak, bandwidth = roof.peak_flops, roof.bandwidth
    places = {phase: bound.flops_per_byte for phase, bound in bounds.items() if bound.flops_per_byte}
    bend = peak / bandwidth
    x = [RIDGE[0] * min(bend, *places.values()), bend, RIDGE[1] * max(bend, *places.values())]
    line = Series(label="roof", x=list(x), y=[min(peak, bandwidth * each) for each in x])
    series = [Series(label=phase, x=[place], y=[min(peak, bandwidth * place)]) for phase, place in places.items()]
    return PlotBlock(
        title=f"Roofline of {roof.hardware}",
        mark="line",
        x_label="FLOPs per byte",
        y_label="FLOP/s at most",
        series=[line, *series],
        x_scale="log",
        y_scale="log",
        caption=f"{roof.source}. Left of the bend, memory is the limit; right of it, arithmetic.",
    )
