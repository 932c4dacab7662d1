"""The report: rows for sweeps, and tables and plots that say how each figure is known."""

from typing import Any

import pytest

from netwright.result import PlotBlock, TableBlock, TreeBlock
from netwright_predictor.prediction import (
    Bound,
    Check,
    Device,
    Flops,
    KvCache,
    Latency,
    Memory,
    Module,
    Parameters,
    Prediction,
)
from netwright_predictor.report import blocks, check_line, flops_known_by, measurements
from netwright_predictor.tracing.sizes import Sizes

MEMORY = Memory(
    weights_bytes=4096,
    gradients_bytes=0,
    optimizer_bytes=0,
    activations_bytes=1024,
    kv_cache_bytes=512,
    total_bytes=5632,
    peak="forward",
)
BOUND = Bound(
    hardware="h200",
    compute_ms=0.5,
    memory_ms=2.0,
    latency_ms=2.0,
    limited_by="memory",
    tokens_per_second=4000,
    flops_per_byte=25.0,
    peak_flops=1e15,
    bandwidth=1e13,
    source="a datasheet",
)
EXACT = Check(status="exact", measured_flops=1000, difference=0)


def prediction(**details: Any) -> Prediction:
    linear = Module(name="proj", path="proj", class_path="torch.nn.Linear", parameters=90, flops=1000, own_flops=1000)
    values = {
        "model": "hf:toy",
        "model_class": "ToyForCausalLM",
        "dtype": "bfloat16",
        "phase": "prefill",
        "sizes": Sizes(batch=2, sequence=4),
        "parameters": Parameters(total=100, active=60, trainable=100, embedding=10),
        "flops": Flops(forward=1000, backward=0, other=7, per_token=125.0, convention="2 FLOPs per MAC"),
        "kv_cache": KvCache(bytes_per_token=64, bytes=512),
        "memory": MEMORY,
        "traffic_bytes": 8192,
        "device": Device(devices=1, parameters=100, batch=2, flops=1000),
        "latency": Latency(prefill=BOUND),
        "check": EXACT,
        "tree": Module(name="Toy", path="", class_path="toy.Toy", parameters=100, flops=1000, children=[linear]),
    }
    return Prediction.model_validate({**values, **details})


def totals(made: Prediction) -> dict[str, list[str]]:
    table = blocks(made)[1]
    assert isinstance(table, TableBlock)
    return {row[0].strip(): row[1:] for row in table.rows}


def titles(made: Prediction) -> list[str]:
    return [block.title for block in blocks(made)]


def test_every_figure_says_how_it_is_known() -> None:
    found = totals(prediction())
    assert all(known for _, known in found.values())
    assert found["FLOPs forward"] == ["1,000", "formula; count equal"]
    assert found["active per token"] == ["60", "formula"]
    assert found["memory at the peak"] == ["5.5 KiB", "derived, in the forward"]
    assert "FLOPs backward" not in found


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (EXACT, "formula; count equal"),
        (Check(status="off", measured_flops=990, difference=10), "formula; count differs by 10"),
        (Check(status="not_measured", reason="no luck"), "formula; not measured"),
        (
            Check(status="exact", measured_flops=1, difference=0, derived_share=0.071),
            "92.9 % formula, 7.1 % derived; count equal",
        ),
    ],
)
def test_the_check_stands_beside_the_flops(check: Check, said: str) -> None:
    assert flops_known_by(prediction(check=check)) == said
    assert said.endswith(check_line(check))


def test_the_terminal_shows_the_check_only_where_it_is_not_exact() -> None:
    def compact(check: Check) -> bool:
        table = next(block for block in blocks(prediction(check=check)) if block.title.startswith("Check"))
        assert isinstance(table, TableBlock)
        return table.compact

    assert not compact(EXACT)
    off = Check(status="off", measured_flops=990, difference=10, modules_off={"": 10}, uncounted_ops=["aten.x"])
    assert compact(off)
    table = next(block for block in blocks(prediction(check=off)) if block.title.startswith("Check"))
    assert isinstance(table, TableBlock)
    assert ["off: the model itself", "10"] in table.rows
    assert ["not counted", "aten.x"] in table.rows


def test_several_devices_are_told_of_and_whether_it_fits() -> None:
    device = Device(devices=8, parameters=13, batch=1, flops=125, sent_bytes={"tensor": 2048})
    memory = MEMORY.model_copy(update={"device_bytes": 4096, "fits": False})
    found = totals(prediction(device=device, memory=memory))
    assert found["devices"] == ["8", "asked for"]
    assert found["it sends, tensor"] == ["2.0 KiB", "formula"]
    assert found["memory of the device"] == ["4.0 KiB", "given; it does not fit"]


def test_latents_stand_beside_the_keys_that_they_would_replace() -> None:
    cache = KvCache(bytes_per_token=64, bytes=512, latent_bytes_per_token=16)
    rows = [
        row
        for block in blocks(prediction(kv_cache=cache), {}, {})
        if isinstance(block, TableBlock)
        for row in block.rows
    ]
    assert ["  per token, as latents", "16 B", "formula"] in rows
    plain = [row for block in blocks(prediction(), {}, {}) if isinstance(block, TableBlock) for row in block.rows]
    assert not any("latents" in row[0] for row in plain)


def test_without_hardware_no_time_is_bounded() -> None:
    assert "Least time on h200" in titles(prediction())
    bare = prediction(latency=Latency())
    assert not [title for title in titles(bare) if "h200" in title]
    assert not [row for row in measurements(bare) if row.unit == "ms"]


def test_the_roof_bends_where_peak_meets_bandwidth() -> None:
    plot = next(block for block in blocks(prediction()) if block.title == "Roofline of h200")
    assert isinstance(plot, PlotBlock)
    roof, phase = plot.series
    assert roof.x[1:2] == [100.0]
    assert roof.y == [pytest.approx(2.5e13), 1e15, 1e15]
    assert (phase.label, phase.x, phase.y) == ("prefill", [25.0], [2.5e14])


def test_plots_of_memory_leave_out_what_is_nothing() -> None:
    larger = MEMORY.model_copy(update={"activations_bytes": 2048})
    found = [block for block in blocks(prediction(), {4: MEMORY, 8: larger}, {}) if block.title.startswith("Memory")]
    assert [block.title for block in found] == ["Memory against tokens per sequence"]
    assert isinstance(found[0], PlotBlock)
    assert [series.label for series in found[0].series] == ["weights", "activations", "KV cache", "peak"]
    assert found[0].series[1].x == [4.0, 8.0]
    assert found[0].series[1].y == [1024.0, 2048.0]


def test_flops_and_bytes_go_to_classes() -> None:
    plot = next(block for block in blocks(prediction()) if block.title == "Where FLOPs go")
    assert isinstance(plot, PlotBlock)
    assert plot.series[0].x == ["Linear"]
    assert plot.series[0].y == [1000.0]


def test_the_tree_comes_first_and_notes_are_told() -> None:
    found = blocks(prediction(notes=["float32 is assumed"]))
    assert isinstance(found[0], TreeBlock)
    assert isinstance(found[1], TableBlock)
    assert found[1].caption == "Counted: 2 FLOPs per MAC. Note: float32 is assumed."


def test_rows_for_sweeps() -> None:
    rows = {row.metric: row for row in measurements(prediction())}
    assert rows["flops"].value == 1000
    assert rows["prefill_bound_ms"].value == 2.0
    assert rows["flops_difference"].value == 0
    assert {row.stage for row in rows.values()} == {"prefill"}
    missing = {row.metric: row for row in measurements(prediction(check=Check(status="not_measured", reason="why")))}
    assert (missing["flops_difference"].value, missing["flops_difference"].not_measured) == (None, "why")
