"""The agents one by one, as the seed's examples use them: mappings in, mappings out."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright.context import RunContext
from netwright.errors import UserError
from netwright.llm.backends.scripted import ScriptedBackend
from netwright_pruning.agents import (
    AgentResponse,
    AnalysisAgent,
    BaseAgent,
    EvaluationAgent,
    FineTuningAgent,
    LayerParameters,
    MasterAgent,
    ProfilingAgent,
    PruningAgent,
    PruningStrategy,
)
from netwright_pruning.agents.profiling import architecture_of
from netwright_pruning.utils.metrics import register_metric
from netwright_training import Splits, load_dataset

QUIET = {"enable_caching": False}
Message = dict[str, Any]


@pytest.fixture
def profiled(residual: nn.Module, images: Inputs) -> Message:
    given = {"model": residual, "model_name": "residual", "dataset": "dummy", "inputs": images}
    return ProfilingAgent(QUIET).execute(given)


def strategy_of(profiled: Message, **more: object) -> Message:
    given = {"profile_results": profiled["profile"], "target_ratio": 0.5, "history": [], "revision_number": 0}
    return MasterAgent({"max_iterations": 5, "convergence_threshold": 0.005}).execute({**given, **more})


def test_a_profile_reads_as_the_seed_has_it(profiled: Message, residual: nn.Module) -> None:
    profile = profiled["profile"]
    assert profiled["success"]
    assert not profiled["cached"]
    assert profile["architecture_type"] == "convolutional"
    kinds = {layer["name"]: layer["kind"] for layer in profile["prunable_layers"]}
    assert kinds == {"stem": "residual", "inner1": "convolution", "inner2": "convolution"}
    assert set(profile.layers["stem"].coupled) >= {"outer1", "outer2"}
    assert 0 < profile["safety_limits"]["max_overall_pruning"] < 1
    assert profile["parameters"] == sum(parameter.numel() for parameter in residual.parameters())
    assert profiled["llm_analysis"]["sensitive_layers"] == ["stem"]
    assert profiled["timing"]["total_seconds"] > 0


def test_profiles_are_kept_for_a_while(residual: nn.Module, images: Inputs, tmp_path: Path) -> None:
    agent = ProfilingAgent({"enable_caching": True, "cache_duration": 3600, "cache_dir": tmp_path})
    given = {"model": residual, "model_name": "residual", "dataset": "dummy", "inputs": images}
    first, second = agent.execute(given), agent.execute(given)
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["profile"] == second["profile"]
    assert not agent.execute({**given, "dataset": "another"})["cached"]
    for kept in tmp_path.rglob("*.json"):
        os.utime(kept, (time.time() - 7200, time.time() - 7200))
    assert not agent.execute(given)["cached"]
    for kept in tmp_path.rglob("*.json"):
        kept.write_text("{")
    assert not agent.execute(given)["cached"]


def test_limits_of_a_kind_bound_its_layers(residual: nn.Module, images: Inputs) -> None:
    agent = ProfilingAgent({**QUIET, "safety_limits": {"max_convolution_pruning": 0.25}})
    layers = agent.execute({"model": residual, "inputs": images})["profile"].layers
    assert layers["inner1"].limit == 0.25
    assert layers["stem"].limit > 0.25


def test_what_kind_of_network_it_is() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32)
    assert architecture_of(layer) == "transformer"
    assert architecture_of(nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(4)], layer)) == "hybrid"
    assert architecture_of(nn.LSTM(3, 3)) == "recurrent"
    assert architecture_of(nn.Sequential(nn.Linear(3, 3))) == "mlp"


def test_a_strategy_reads_as_the_seed_has_it(profiled: Message) -> None:
    answer = strategy_of(profiled, dataset_info={"num_classes": 10, "safety_limits": {"max_overall_pruning": 0.8}})
    strategy = answer["strategy"]
    assert strategy["pruning_ratio"] == 0.5
    assert strategy["importance_criterion"] == "taylor"
    assert answer["continue_iterations"]
    assert 0 <= answer["confidence"] <= 1
    assert answer["directives"]["step"] == "explore"


def test_the_history_decides_what_is_next(profiled: Message) -> None:
    tried = [
        {"criterion": name, "allocation": "global", "proxy": {"score": score, "loss": 1 - score}}
        for name, score in (("taylor", 0.5), ("hessian", 0.7), ("magnitude_l2", 0.9), ("magnitude_l1", 0.6))
    ]
    answer = strategy_of(profiled, history=tried, revision_number=4)
    assert (answer["strategy"].importance_criterion, answer["strategy"].allocation) == ("magnitude_l2", "isomorphic")
    committed = strategy_of(profiled, history=tried, revision_number=5, epochs_left=4)["strategy"]
    assert (committed.step, committed.epochs, committed.importance_criterion) == ("commit", 4, "magnitude_l2")
    ended = strategy_of(profiled, history=tried, revision_number=5, epochs_left=0)
    assert not ended["continue_iterations"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"target_ratio": 0.7, "dataset_info": {"safety_limits": {"max_overall_pruning": 0.6}}}, "limit of 0.600"),
        ({"target_ratio": 1.5}, "between 0 and 1"),
        ({"history": ["good"]}, r"history\[0\] is no attempt"),
        ({"profile_results": None}, "run ProfilingAgent first"),
        ({"dataset_info": {"safety_limits": {"max_overal_pruning": 0.6}}}, "max_overall_pruning"),
    ],
)
def test_wrong_input_to_the_master_is_one_line(profiled: Message, given: Message, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        strategy_of(profiled, **given)


def test_ratios_stay_within_limits(profiled: Message) -> None:
    known = {
        name: {"damage": damage, "gain": 0.3} for name, damage in (("stem", 9.0), ("inner1", 0.1), ("inner2", 1.0))
    }
    strategy = PruningStrategy(pruning_ratio=0.5, importance_criterion="taylor", allocation="sensitivity_strong")
    answer = AnalysisAgent().execute({"profile_results": profiled, "strategy": strategy, "sensitivities": known})
    ratios, limits = answer["parameters"].ratios, answer["parameters"].limits
    assert ratios["stem"] < ratios["inner2"] < ratios["inner1"]
    assert all(ratios[name] <= limits[name] for name in ratios)


def test_clipping_lowers_what_strictness_refuses(
    profiled: Message, run_context: RunContext, scripted_model: Callable[..., ScriptedBackend]
) -> None:
    given = {"profile_results": profiled, "strategy": {**_strategy(), "allocation": "even"}}
    past = {"ratios": {"stem": 0.999, "inner1": 0.5}}
    limit = profiled["profile"].layers["stem"].limit
    scripted_model(*[past] * 8)
    strict = AnalysisAgent({"safety_enforcement": "strict"}).execute(given)
    assert set(strict["group_ratios"]) == {"stem", "inner1", "inner2"}  # the rule's, for all layers
    clipped = AnalysisAgent({"safety_enforcement": "clip"}).execute(given)
    assert clipped["group_ratios"] == {"stem": limit, "inner1": 0.5}
    assert clipped["safety_checks"]["clipped"] == ["stem"]
    assert run_context.folder is not None


def _strategy() -> dict[str, object]:
    return {"pruning_ratio": 0.5, "importance_criterion": "magnitude_l2", "allocation": "global"}


@pytest.mark.parametrize("setting", [{}, {"memory_efficient": True}, {"batch_processing": False}])
def test_it_prunes_to_the_target(setting: dict[str, bool], residual: nn.Module, images: Inputs) -> None:
    batches = [(torch.rand(16, 3, 8, 8), torch.randint(10, (16,))) for _ in range(2)]
    strategy = {**_strategy(), "importance_criterion": "taylor"}
    given = {"model": residual, "strategy": strategy, "inputs": images, "batches": batches}
    answer = PruningAgent({"backend": "torch_pruning", "global_pruning": True, **setting}).execute(given)
    assert answer["params_reduction"] == pytest.approx(0.5, abs=0.01)
    assert answer["within_budget"]
    assert answer["model"](*images.args).shape == (4, 10)
    assert sum(p.numel() for p in answer["model"].parameters()) == pytest.approx(
        (1 - answer["params_reduction"]) * sum(p.numel() for p in residual.parameters()), abs=1
    )


def test_parameters_share_the_cutting_out(residual: nn.Module, images: Inputs) -> None:
    parameters = LayerParameters(ratios={"inner1": 0.8, "inner2": 0.2}, limits={"stem": 0.5})
    given = {"model": residual, "strategy": _strategy(), "inputs": images, "parameters": parameters, "round_to": 1}
    ratios = PruningAgent().execute({**given, "metric": "macs"})["layer_ratios"]
    assert "stem" not in ratios
    assert ratios["inner1"] > ratios["inner2"] + 0.2


def test_what_is_impossible_within_limits_is_said(residual: nn.Module, images: Inputs) -> None:
    limits = {"stem": 0.1, "inner1": 0.1, "inner2": 0.1}
    given = {"model": residual, "strategy": _strategy(), "inputs": images, "parameters": {"limits": limits}}
    with pytest.raises(UserError, match="cannot be met; the narrowest layers leave"):
        PruningAgent().execute(given)


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load_dataset({"name": "digits", "limit": 200}, seed=0)


def test_it_fine_tunes_and_evaluates(digits: Splits) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    tune = FineTuningAgent({"optimizer": "adamw", "scheduler": "cosine", "learning_rate": 0.01})
    tune.execute({"model": model, "splits": digits, "epochs": 8})
    inputs = Inputs((digits.test[0][0][None],))
    pruned = PruningAgent().execute({"model": model, "strategy": _strategy(), "inputs": inputs})
    given = {"original_model": model, "splits": digits, "inputs": inputs}
    evaluation = EvaluationAgent({"comprehensive_metrics": True, "custom_metrics": ["test_efficiency"]})
    before = evaluation.execute({**given, "model": pruned["model"]})
    answer = tune.execute({**given, "model": pruned["model"], "kept": pruned["kept"], "epochs": 4})
    after = evaluation.execute({**given, "model": answer["model"]})
    assert answer["refitted"] == 1
    assert len(answer["history"]) == answer["epochs"] == 4
    assert after["accuracy"] >= before["accuracy"]
    assert after["accuracy_drop"] == pytest.approx(
        evaluation.execute({**given, "model": model})["accuracy"] - after["accuracy"]
    )
    assert after["params_reduction"] == pytest.approx(pruned["params_reduction"])
    assert {"top_5_accuracy", "f1_macro"} <= after["metrics"].keys()
    assert after["custom_metrics"] == {"test_efficiency": after["parameters"] / 1e6}


@register_metric("test_efficiency")
def efficiency(model: nn.Module, _info: Message) -> float:
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


@pytest.mark.parametrize("agent", [ProfilingAgent, PruningAgent, FineTuningAgent, EvaluationAgent])
def test_a_missing_model_is_one_line(agent: type[Any]) -> None:
    with pytest.raises(UserError, match=rf"{agent.__name__}\.execute needs 'model'; it is missing; give a Module"):
        agent().execute({})


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"max_iteration'.*max_iterations"):
        MasterAgent({"max_iteration": 5})


def test_the_seeds_own_agent_works() -> None:
    class CustomAgent(BaseAgent[Message, Message]):
        def get_agent_role(self) -> str:
            return "Custom pruning agent"

        def execute(self, input_data: Message) -> Message:
            return {"success": True, "agent_name": self.agent_name, "custom_result": input_data["value"]}

        def parse_llm_response(self, response: str, context: dict[str, Any]) -> AgentResponse:
            return AgentResponse(
                success=True,
                reasoning=response,
                recommendations=context,
                confidence=0.8,
                safety_checks={},
                warnings=[],
                timestamp="",
                agent_name=self.agent_name,
            )

    agent = CustomAgent()
    assert agent.execute({"value": 3}) == {"success": True, "agent_name": "custom", "custom_result": 3}
    assert agent.parse_llm_response("because", {}).confidence == 0.8


def test_a_layer_is_not_taken_for_another_that_ends_alike(images: Inputs) -> None:
    class Twice(nn.Sequential):
        def __init__(self) -> None:
            inner = nn.Sequential(nn.Conv2d(3, 32, 1), nn.Conv2d(32, 32, 1))
            super().__init__(inner, nn.Conv2d(32, 32, 1), nn.Flatten(), nn.Linear(2048, 3))

    parameters = LayerParameters(ratios={"1": 0.7, "0.1": 0.1, "0.0": 0.1})
    given = {"model": Twice(), "strategy": _strategy(), "inputs": images, "parameters": parameters, "round_to": 1}
    ratios = PruningAgent().execute(given)["layer_ratios"]
    assert ratios["1"] > 0.4 > ratios["0.1"]
