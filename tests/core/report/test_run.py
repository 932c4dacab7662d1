"""The report of one run."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.errors import UserError
from netwright.report import write_report
from netwright.result import ErrorRecord, Measurement, PlotBlock, Series, TableBlock, TextBlock, TreeBlock, TreeRow
from netwright.runfolder import RunFolder

Leave = Callable[..., RunFolder]
Read = Callable[[str], Any]

TABLE = TableBlock(
    title="Costs", columns=["method", "ms"], rows=[["eager", "1.5"], ["taylor", "★ 0.9"]], caption="Cold."
)
PLOT = PlotBlock(
    title="Curves", mark="line", x_label="epoch", y_label="loss", series=[Series(label="a", x=[1, 2], y=[0.5, 0.25])]
)
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def report(folder: RunFolder) -> str:
    path = write_report(folder)
    assert path == folder.report_file
    return path.read_text(encoding="utf-8")


def test_the_header_says_what_ran_and_how_it_went(leave_run: Leave, read_page: Read) -> None:
    rows = [Measurement(label="taylor", metric="speedup", value=1.664, ci=(1.6, 1.7))]
    page = read_page(report(leave_run(measurements=rows)))
    assert page.source.startswith("<!doctype html>")
    for words in ("pruner · digits_cnn", "ok", "2026-11-20 14:03 UTC", "3 min 12 s", "seed 7", "0123456789ab"):
        assert words in page.text
    assert "1.664\N{MULTIPLICATION SIGN}" in page.text
    assert "taylor" in page.text
    assert "95 % [1.600, 1.700]" in page.text


def test_the_agents_blocks_come_first_and_in_order(leave_run: Leave, read_page: Read) -> None:
    blocks = [TextBlock(title="Result", text="It worked.\n\nTwice."), TABLE, PLOT]
    text = read_page(report(leave_run(blocks=blocks))).text
    places = [text.index(words) for words in ("It worked.", "Costs", "Curves", "Configuration")]
    assert places == sorted(places)


def test_code_is_shown_line_by_line(leave_run: Leave) -> None:
    page = report(leave_run(blocks=[TextBlock(title="Load", text="a = 1\nb = 2 < 3", code=True)]))
    assert ">a = 1\nb = 2 &lt; 3</pre>" in page


def test_a_tree_folds_and_its_modules_are_no_table(leave_run: Leave, read_page: Read) -> None:
    closed = TreeRow(cells=["closed", "2"], children=[TreeRow(cells=[HOSTILE, "2"])], open=False)
    tree = TreeBlock(title="Parts", columns=["part", "count"], rows=[TreeRow(cells=["root", "2"], children=[closed])])
    page = read_page(report(leave_run(blocks=[tree], modules=[{"name": "root", "children": [{"name": "closed"}]}])))
    assert all(words in page.text for words in ("Parts", "count", "root", "closed", HOSTILE))
    assert page.text.count("root") == 1
    folds = [attributes for name, attributes in page.elements if name == "details"]
    assert ["open" in attributes for attributes in folds[:2]] == [True, False]
    assert not page.all("script")


def test_tables_are_accessible_and_mark_the_best(leave_run: Leave, read_page: Read) -> None:
    page = read_page(report(leave_run(blocks=[TABLE])))
    scopes = [attributes.get("scope") for attributes in page.all("th")]
    assert scopes.count("col") == 2
    assert scopes.count("row") == 2
    assert any("best" in (attributes.get("class") or "") for attributes in page.all("td"))
    assert "Cold." in page.text


def test_a_page_needs_no_network_and_no_script(leave_run: Leave, read_page: Read) -> None:
    page = read_page(report(leave_run(blocks=[TABLE, PLOT])))
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert "@import" not in page.source
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_identifiers_are_unique(leave_run: Leave, read_page: Read) -> None:
    pytest.importorskip("matplotlib")
    page = read_page(report(leave_run(blocks=[PLOT, PLOT, TABLE, PLOT])))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(page.all("svg")) == 3
    assert identifiers
    assert len(identifiers) == len(set(identifiers))


def test_no_text_of_a_users_becomes_markup(leave_run: Leave, read_page: Read) -> None:
    folder = leave_run(
        agent=HOSTILE,
        case=HOSTILE,
        status="partial",
        config={HOSTILE: HOSTILE},
        metrics={HOSTILE: {HOSTILE: [HOSTILE]}},
        provenance={HOSTILE: HOSTILE},
        modules=[{HOSTILE: HOSTILE}],
        artifacts={HOSTILE: HOSTILE, "link": "javascript:alert(1)"},
        errors=[ErrorRecord(where=HOSTILE, message=HOSTILE)],
        measurements=[
            Measurement(label=HOSTILE, metric="speedup", value=1.0, unit=HOSTILE, stage=HOSTILE),
            Measurement(label="a", metric=HOSTILE, value=None, not_measured=HOSTILE),
        ],
        blocks=[
            TextBlock(title=HOSTILE, text=HOSTILE),
            TableBlock(title=HOSTILE, columns=[HOSTILE], rows=[[HOSTILE]], caption=HOSTILE),
            *(
                PlotBlock(
                    title=HOSTILE,
                    mark=mark,
                    x_label=HOSTILE,
                    y_label=HOSTILE,
                    caption=HOSTILE,
                    series=[Series(label=HOSTILE + name, x=[HOSTILE], y=[1.0]) for name in "ab"],
                )
                for mark in ("line", "points", "bars")
            ),
        ],
    )
    folder.event("step_started", step=HOSTILE, facts={"fact": HOSTILE})
    folder.event("step_ended", step=HOSTILE, outcome=HOSTILE, seconds=1.0)
    folder.event("warning", message=HOSTILE)
    folder.decision({HOSTILE: HOSTILE, "reasons": [HOSTILE]})
    folder.environment_file.write_text(json.dumps({HOSTILE: {HOSTILE: HOSTILE}}))
    page = read_page(report(folder))
    assert not page.all("script")
    assert not page.all("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all((link["href"] or "").startswith("./") for link in page.all("a"))
    assert page.text.count("<script>alert(1)</script>") > 20


def test_what_went_wrong_and_what_is_missing_is_said(leave_run: Leave, read_page: Read) -> None:
    folder = leave_run(
        status="failed",
        errors=[ErrorRecord(where="job", message="out of memory")],
        measurements=[Measurement(label="a", metric="peak_memory_bytes", value=None, not_measured="no CUDA device")],
    )
    folder.event("warning", message="the cache was rebuilt")
    folder.event("warning", message="the cache was rebuilt")
    text = read_page(report(folder)).text
    assert "What ended the run" in text
    assert "out of memory" in text
    assert "not measured: peak_memory_bytes: no CUDA device" in text
    assert text.count("the cache was rebuilt") == 1


def test_logs_environment_and_configuration_are_shown(leave_run: Leave, read_page: Read) -> None:
    folder = leave_run(provenance={"dataset": "digits 1.0"}, artifacts={"model": "artifacts/taylor/model.safetensors"})
    folder.event("step_started", step="train", facts={"epochs": 3})
    folder.event("step_ended", step="train", outcome="ok", seconds=2.5, facts={"loss": 0.25})
    folder.event("step_started", step="prune")
    folder.decision({"question": "which?", "decision": "taylor", "cost": 0})
    folder.environment_file.write_text(json.dumps({"torch_threads": 2, "packages": {"torch": "2.15.0"}}))
    folder.tensorboard.mkdir()
    page = read_page(report(folder))
    for words in ("train", "2.5 s", "epochs 3, loss 0.2500", "not ended", "which?", "2.15.0", "digits 1.0", "seed: 7"):
        assert words in page.text
    links = [link["href"] for link in page.all("a")]
    assert links == ["./artifacts/taylor/model.safetensors", "./tensorboard"]


def test_values_of_any_shape_are_shown(leave_run: Leave, read_page: Read) -> None:
    metrics = {
        "plain": [1, None, "a"],
        "count": 12345,
        "flag": True,
        "empty": {},
        "records": [{"layer": "stem", "macs": 5}],
        "nested": [{"deep": {"deeper": ["x", {"y": 1}]}}],
    }
    page = read_page(report(leave_run(metrics=metrics)))
    for words in ("1, none, a", "12,345", "yes", "stem", "- deep:"):
        assert words in page.text
    assert len(page.all("table")) == 1


def test_a_run_without_blocks_opens_its_measurements(leave_run: Leave, read_page: Read) -> None:
    rows = [Measurement(label="a", metric="latency_ms", value=1.5)]
    folder = leave_run(measurements=rows)
    assert "open" in read_page(report(folder)).all("details")[0]


def test_torn_logs_and_a_damaged_environment_do_not_matter(leave_run: Leave) -> None:
    folder = leave_run()
    folder.event("step_started", step="train")
    with folder.events_file.open("a") as file:
        file.write('{"time": "2026-')
    folder.environment_file.write_text("{")
    assert "train" in report(folder)


def test_the_same_run_gives_the_same_bytes(leave_run: Leave) -> None:
    folder = leave_run(blocks=[TABLE, PLOT, TextBlock(text="x")])
    folder.event("step_started", step="train")
    assert report(folder) == report(folder)


def test_without_matplotlib_plots_are_tables(
    leave_run: Leave, read_page: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = read_page(report(leave_run(blocks=[PLOT])))
    assert not page.all("svg")
    assert "pip install 'netwright[report]'" in page.text
    assert "0.2500" in page.text


def test_a_folder_without_result_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no result\.json"):
        write_report(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()
