"""The agent from end to end, on small models."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from netwright.agent import Job
from netwright.cases import CaseOptions
from netwright.errors import UserError
from netwright_predictor import PredictorAgent
from netwright_predictor.figures import PredictorMetrics

RunCli = Callable[..., CompletedProcess[str]]

WIDTH, INNER, LAYERS, VOCABULARY, HEADS, KV_HEADS = 64, 96, 2, 128, 4, 2
LLAMA = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "vocab_size": VOCABULARY,
}
PER_LAYER = 2 * WIDTH * WIDTH + 2 * WIDTH * WIDTH * KV_HEADS // HEADS + 3 * WIDTH * INNER
"""Weights in matrices: queries and output, keys and values, three of the gated MLP."""
PARAMETERS = LAYERS * (PER_LAYER + 2 * WIDTH) + WIDTH + 2 * VOCABULARY * WIDTH


def flops(batch: int, new: int, keys: int) -> int:
    """Two per weight and token, two products per pair of query and key, and the head."""
    return 2 * batch * new * (LAYERS * PER_LAYER + WIDTH * VOCABULARY) + 4 * batch * LAYERS * new * keys * WIDTH


def predict(case: str = "hf:llama", constants: dict[str, Any] | None = None, **settings: Any) -> PredictorMetrics:
    job = Job(case=case, case_options=CaseOptions(constants=LLAMA if constants is None else constants))
    metrics = PredictorAgent({"hardware": None, **settings}).execute(job).metrics
    assert isinstance(metrics, PredictorMetrics)
    return metrics


@pytest.mark.usefixtures("run_context")
def test_a_prompt() -> None:
    found = predict(batch_size=3, sequence_length=20, dtype="bfloat16")
    assert found.parameters.total == found.parameters.active == found.parameters.trainable == PARAMETERS
    assert (found.flops.forward, found.flops.backward) == (flops(3, 20, 20), 0)
    assert found.kv_cache.bytes_per_token == 2 * 2 * LAYERS * WIDTH * KV_HEADS // HEADS
    assert found.kv_cache.bytes == 3 * 20 * found.kv_cache.bytes_per_token
    assert found.memory.weights_bytes == 2 * PARAMETERS
    assert (found.check.status, found.check.difference, found.check.derived_share) == ("exact", 0, 0)
    assert found.check.measured_flops == found.flops.forward
    assert found.latency.prefill is None


@pytest.mark.usefixtures("run_context")
def test_one_more_token() -> None:
    found = predict(phase="decode", context_length=30, hardware="h200")
    assert found.flops.forward == flops(1, 1, 31)
    assert found.check.status == "exact"
    assert found.latency.decode is not None
    assert found.latency.decode.limited_by == "memory"


@pytest.mark.usefixtures("run_context")
def test_a_training_step() -> None:
    found = predict(phase="train", batch_size=2, sequence_length=20, optimizer="sgd_momentum")
    assert (found.flops.forward, found.flops.backward) == (flops(2, 20, 20), 2 * flops(2, 20, 20))
    assert found.memory.gradients_bytes == found.memory.optimizer_bytes == 4 * PARAMETERS
    assert found.check.status == "exact"
    assert found.check.measured_flops == 3 * flops(2, 20, 20)


@pytest.mark.usefixtures("run_context")
def test_without_a_check_none_is_claimed() -> None:
    found = predict(sequence_length=20, check=False)
    assert (found.check.status, found.check.measured_flops) == ("not_measured", None)


@pytest.mark.slow
def test_a_run_leaves_result_and_report(run_cli: RunCli, project: Path) -> None:
    config = project / "config.json"
    config.write_text(json.dumps({"model_type": "llama", **LLAMA}))
    done = run_cli("run", "agent=predictor", "case=hf:./config.json", "agent.sequence_length=20", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert "├─ model LlamaModel" in done.stdout
    assert "count equal" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if not line.startswith("report: ")) <= 80
    (folder,) = (path.parent for path in project.glob("outputs/*/*/result.json"))
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "ok"
    metrics = result["metrics"]
    assert set(metrics["parameters"]) >= {"total", "active", "trainable"}
    assert set(metrics["flops"]) >= {"forward", "backward", "convention"}
    assert set(metrics["kv_cache"]) >= {"bytes_per_token", "bytes"}
    assert set(metrics["memory"]) >= {
        "weights_bytes",
        "gradients_bytes",
        "optimizer_bytes",
        "activations_bytes",
        "total_bytes",
    }
    assert set(metrics["latency"]) == {"prefill", "decode", "train"}
    assert set(metrics["check"]) >= {"status", "measured_flops", "difference", "uncounted_ops", "derived_share"}
    attention = next(key for key in result["provenance"] if key.endswith("LlamaAttention"))
    assert "config" in result["provenance"][attention]["num_attention_heads"]
    (root,) = result["modules"]
    assert [child["name"] for child in root["children"]] == ["model", "lm_head"]
    assert root["flops"] == metrics["flops"]["forward"] == flops(1, 20, 20)
    assert {row["metric"] for row in result["measurements"]} >= {"parameters", "flops", "memory_bytes"}
    page = (folder / "report.html").read_text()
    assert all(title in page for title in ("Modules", "Where FLOPs go", "Memory against", "Roofline of h200"))


@pytest.mark.usefixtures("run_context")
def test_a_model_of_images() -> None:
    constants = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    found = predict("hf:vit", constants, batch_size=2)
    assert found.check.status == "exact"
    assert found.kv_cache.bytes == 0


@pytest.mark.parametrize(
    ("case", "constants", "settings", "message"),
    [
        ("digits_cnn", {}, {}, r"cannot predict 'digits_cnn'; it reads configurations of transformers; name"),
        ("hf:lama", {}, {}, r"did you mean 'llama'\?"),
        ("hf:no/config.json", {}, {}, r"cannot read no/config\.json"),
        ("hf:llama", {"batch_size": 2}, {}, r"write agent\.batch_size=N"),
        ("hf:llama", {"hidden_sice": 2}, {}, r"did you mean 'hidden_size'\?"),
        ("hf:llama", {**LLAMA, "hidden_size": 66}, {}, r"66"),
        ("hf:llama", LLAMA, {"context_length": 5}, r"has no context; set phase=decode"),
        ("hf:llama", LLAMA, {"parallel": {"tensor": 3}}, r"does not divide the 4 attention heads"),
        ("hf:llama", LLAMA, {"parallel": {"pipeline": 3}}, r"does not divide the 2 layers"),
        ("hf:llama", LLAMA, {"parallel": {"data": 2}}, r"does not divide the 1 sequences"),
        ("hf:vit", {}, {"phase": "decode"}, r"has no phase 'decode'"),
        ("hf:llama_text_config_only", {}, {}, r"no transformers model type"),
    ],
)
@pytest.mark.usefixtures("run_context")
def test_bad_input_is_one_line(case: str, constants: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        predict(case, constants, **settings)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_bad_input_ends_with_2(run_cli: RunCli) -> None:
    done = run_cli("run", "agent=predictor", "case=hf:llama", "agent.hardware=h300")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "did you mean 'h200'?" in done.stderr
