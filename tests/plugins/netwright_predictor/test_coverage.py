"""Coverage: every type that is asked for ends with a verdict, and a run that was cut short goes on."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netwright.agent import Job
from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright.result import AgentResult, TableBlock
from netwright_predictor import PredictorAgent, PredictorConfig
from netwright_predictor import coverage as coverage_module
from netwright_predictor.coverage import CoverageMetrics, TypeRecord, cover, coverage_metrics, examine
from netwright_predictor.isolation import Outcome

Isolated = Callable[..., Iterator[tuple[str, Outcome[TypeRecord]]]]


def settings(*types: str, **others: Any) -> dict[str, Any]:
    return {"coverage": {"types": list(types), "workers": 1, **others}}


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The types that are examined, without children: all are exact but bert, which is off, and t5, which dies."""
    seen: list[str] = []

    def run(work: object, items: list[str], **_: object) -> Iterator[tuple[str, Outcome[TypeRecord]]]:
        for item in items:
            seen.append(item)
            if item == "t5":
                yield item, Outcome(None, "the process died of SIGSEGV", 1.5)
                continue
            record = TypeRecord(
                type=item, family="other", verdict="off" if item == "bert" else "exact", derived_share=0.5, flops=10
            )
            yield item, Outcome(record, None, 2.0)

    monkeypatch.setattr(coverage_module, "run_isolated", run)
    return seen


def metrics_of(result: AgentResult) -> CoverageMetrics:
    assert isinstance(result.metrics, CoverageMetrics)
    return result.metrics


def test_every_type_has_a_verdict(run_context: RunContext, looked_at: list[str]) -> None:
    types = ("gpt2", "t5", "bert", "vit", "aimv2_text_model", "clip_vision_model")
    result = PredictorAgent(settings(*types)).execute(Job(case="hf:all"))
    metrics = metrics_of(result)
    assert (metrics.types, metrics.exact, metrics.off, metrics.failed) == (6, 3, 1, 1)
    assert metrics.config_only == 1
    assert "aimv2_text_model" not in looked_at
    assert metrics.families["vision"].types == metrics.families["vision"].exact == 2
    assert metrics.derived_share == 0.5
    assert run_context.folder is not None
    records = json.loads(result.artifacts["coverage"].read_text())
    assert {record["type"]: record["verdict"] for record in records} == {
        "gpt2": "exact",
        "t5": "failed",
        "bert": "off",
        "vit": "exact",
        "aimv2_text_model": "config_only",
        "clip_vision_model": "exact",
    }
    assert next(record["reason"] for record in records if record["type"] == "t5") == "the process died of SIGSEGV"
    tables = {block.title: block for block in result.blocks if isinstance(block, TableBlock)}
    problems = tables["Types that are not exact"]
    assert sorted(row[0] for row in problems.rows) == ["bert", "t5"]
    families = tables["Types whose FLOPs equal torch's count, module by module"]
    assert families.rows[-1] == ["all", "5", "3", "1", "1", "60.0 %"]
    assert {(row.metric, row.value) for row in result.measurements} >= {("vision_exact", 2.0), ("causal_lm_off", 1.0)}


def test_a_run_that_was_cut_short_goes_on_with_the_rest(run_context: RunContext, looked_at: list[str]) -> None:
    config = PredictorConfig.model_validate(settings("gpt2", "bert"))
    cover(config)
    again = PredictorConfig.model_validate(settings("gpt2", "bert", "vit"))
    assert [record.verdict for record in cover(again)] == [
        "exact" if name != "bert" else "off" for name in _order(again)
    ]
    assert looked_at == [*_order(config), "vit"]


def _order(config: PredictorConfig) -> list[str]:
    from netwright_predictor.families import families_of_types

    assert config.coverage.types is not None
    return [name for name in families_of_types() if name in config.coverage.types]


@pytest.mark.usefixtures("looked_at")
def test_a_log_of_another_version_is_refused(run_context: RunContext) -> None:
    assert run_context.folder is not None
    (run_context.folder.artifact("coverage") / "types.jsonl").write_text('{"type": "gpt2", "verdict": "fine"}\n')
    with pytest.raises(NetwrightError, match=r"types\.jsonl is not what this version writes"):
        cover(PredictorConfig.model_validate(settings("gpt2")))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (settings("lama"), r"no transformers model type named 'lama'; did you mean 'llama'\?"),
        (settings("gpt2", families=["vision"]), "no model type is left to check"),
    ],
)
def test_what_is_not_there_is_refused(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PredictorAgent(chosen).execute(Job(case="hf:all"))


def test_no_types_no_numbers() -> None:
    metrics = coverage_metrics([])
    assert (metrics.types, metrics.derived_share, metrics.families) == (0, 0.0, {})


@pytest.mark.parametrize("name", ["gpt2", "vit"])
def test_a_default_configuration_is_exact(name: str) -> None:
    record = examine(name, config=PredictorConfig(batch_size=2))
    assert (record.verdict, record.difference, record.parameters_difference) == ("exact", 0, 0)
    assert record.flops
    assert record.modules_off == 0


@pytest.mark.slow
def test_types_are_examined_in_children(run_context: RunContext) -> None:
    result = PredictorAgent(settings("gpt2", seconds=600.0)).execute(Job(case="hf:all"))
    assert metrics_of(result).exact == 1
