"""The report: what people read, and the rows that `netwright collect` reads."""

from netwright.result import TableBlock, TextBlock
from netwright_fusion.metrics import FusionMetrics, KernelRecord, OpShare, RuleRecord, VariantRecord
from netwright_fusion.report import blocks, headline, measurements

EAGER = VariantRecord(
    label="eager",
    kind="baseline",
    verified=True,
    latency_ms=10.0,
    latency_ci=(9.0, 11.0),
    speedup_vs_eager=1.0,
    speedup_vs_best_baseline=1.0,
)
BEST = VariantRecord(
    label="rewritten_eager",
    kind="rewritten",
    verified=True,
    latency_ms=2.0,
    latency_ci=(1.9, 2.1),
    speedup_vs_eager=5.0,
    speedup_vs_best_baseline=5.0,
    speedup_ci=(4.8, 5.2),
)
TRIED = VariantRecord(
    label="rewritten_frozen", kind="rewritten", verified=False, not_timed="no finalist: slower", trial_ms=3.0
)
TRITON = VariantRecord(label="rewritten_triton", kind="triton", verified=True, not_timed="no CUDA device")
WRONG = VariantRecord(
    label="tuned", kind="rewritten", verified=False, not_timed="it failed a check", failed=["accuracy: off by 1"]
)
RULE = RuleRecord(
    rule="linear to sum",
    site="linear 'fc' -> sum over outputs",
    reason="It is linear.",
    conditions="any weights",
    measured=False,
    flops_removed=1_000_000,
    bytes_removed=-2048,
    used=True,
)
METRICS = FusionMetrics(
    outcome="faster",
    best="rewritten_eager",
    fastest_baseline="eager",
    speedup=5.0,
    variants=[EAGER, BEST, TRIED, TRITON, WRONG],
    rules=[RULE, RULE.model_copy(update={"site": "relu", "used": False, "dropped": "off by 2"})],
    kernels=[
        KernelRecord(
            name="k",
            family="rows",
            site="softmax",
            bytes_removed=10,
            flops_removed=0,
            verified=True,
            used=False,
            not_timed="no CUDA device",
        )
    ],
    degenerate=None,
    flops_before=2_000_000,
    flops_after=1_000_000,
    boxes=["torch_compile_max_autotune: it took longer than its time box of 120 s"],
    profile_before=[OpShare(name="aten::mm", calls=1, self_ms=1.0, share=0.9)],
    profile_after=[OpShare(name="aten::mv", calls=1, self_ms=0.1, share=0.5)],
)


def table(title: str) -> TableBlock:
    return next(block for block in blocks(METRICS, None) if isinstance(block, TableBlock) and block.title == title)


def test_the_variants_say_what_was_proven_timed_and_not_timed() -> None:
    rows = {row[0]: row for row in table("Variants").rows}
    times = "\N{MULTIPLICATION SIGN}"
    assert rows["★ rewritten_eager"][1:] == ["yes", "2", "1.9 - 2.1", f"5.00{times}", f"5.00{times}"]
    assert rows["rewritten_frozen"][1:3] == ["", "(3)"]
    assert rows["tuned"][1:3] == ["no", "not timed"]
    assert rows["rewritten_triton"][1:3] == ["yes", "not timed"]


def test_remarks_name_failures_boxes_and_steps_left_out() -> None:
    texts = {block.title: block.text for block in blocks(METRICS, None) if isinstance(block, TextBlock)}
    remarks = texts["Remarks"]
    assert texts["Result"] == headline(METRICS)
    assert "rewritten_triton: not timed: no CUDA device" in remarks
    assert "tuned: accuracy: off by 1" in remarks
    assert "time box of 120 s" in remarks
    assert "Left out: relu: off by 2" in remarks
    assert "rewritten_frozen" not in remarks


def test_rewrites_show_what_they_remove_and_whether_they_were_used() -> None:
    shown = table("Rewrites")
    assert [row[1] for row in shown.rows] == ["yes", "wrong"]
    assert shown.rows[0][2:4] == ["1.000M", "-2.0 KiB"]
    assert "2.000M FLOPs per call before, 1.000M after" in shown.caption


def test_profiles_before_and_after_are_both_there() -> None:
    assert table("Profile before").rows[0][0] == "aten::mm"
    assert table("Profile after: rewritten_eager").rows[0][0] == "aten::mv"


def test_measurements_are_those_of_the_final_timing() -> None:
    rows = measurements(METRICS)
    assert {(row.label, row.metric): row.value for row in rows if row.metric == "speedup"} == {
        ("eager", "speedup"): 1.0,
        ("rewritten_eager", "speedup"): 5.0,
    }
    assert next(row for row in rows if row.label == "rewritten_triton").not_measured == "no CUDA device"
    assert all(row.label != "rewritten_frozen" for row in rows)


def test_the_headline_is_true_to_the_outcome() -> None:
    assert "5.00\N{MULTIPLICATION SIGN} as fast as the fastest baseline, eager" in headline(METRICS)
    nothing = METRICS.model_copy(update={"outcome": "nothing to win", "best": "eager"})
    assert headline(nothing) == "Nothing to win: optimized.py is the fastest baseline, eager."
    degenerate = METRICS.model_copy(update={"outcome": "degenerate", "degenerate": "zeros"})
    assert "no speed-up is claimed" in headline(degenerate)
