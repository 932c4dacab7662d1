"""The seed's API reference against the package: every name, argument, default and result key, and its examples."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml
from torch import nn

PACKAGE = "netwright_pruning"
REQUIRED = inspect.Parameter.empty
ANY = object()
"""An optional argument whose default the reference does not say."""

NAMES = {
    "": ["MultiAgentPruner"],
    "agents": [
        "AgentResponse",
        "AnalysisAgent",
        "BaseAgent",
        "EvaluationAgent",
        "FineTuningAgent",
        "MasterAgent",
        "ModelProfile",
        "ProfilingAgent",
        "PruningAgent",
        "PruningStrategy",
    ],
    "baselines": ["BasePruningMethod", "IsomorphicOriginal", "MagnitudePruning", "TaylorPruning"],
    "config": ["load_config"],
    "core": ["DependencyAnalyzer", "IsomorphicAnalyzer", "IsomorphicGroup"],
    "exceptions": ["ConfigurationError", "PruningError", "ValidationError"],
    "tools": ["ModelDownloader"],
    "utils": ["TimingProfiler"],
    "utils.metrics": ["compute_macs", "compute_params", "register_metric"],
    "validation": ["PaperReproductionValidator"],
}

SIGNATURES: dict[str, dict[str, object]] = {
    "MultiAgentPruner": {"config_path": ANY},
    "MultiAgentPruner.prune_model": {
        "model_name": REQUIRED,
        "dataset": REQUIRED,
        "target_ratio": REQUIRED,
        "output_dir": ANY,
        "max_iterations": ANY,
        "enable_caching": ANY,
        "kwargs": REQUIRED,
    },
    "MultiAgentPruner.compare_methods": {
        "model_name": REQUIRED,
        "dataset": REQUIRED,
        "target_ratio": REQUIRED,
        "methods": None,
    },
    **{
        f"agents.{name}Agent": {"config": ANY}
        for name in ("Profiling", "Master", "Analysis", "Pruning", "FineTuning", "Evaluation")
    },
    **{
        f"agents.{name}Agent.execute": {"input_data": REQUIRED}
        for name in ("Profiling", "Master", "Analysis", "Pruning", "FineTuning", "Evaluation", "Base")
    },
    "agents.BaseAgent.get_agent_role": {},
    "agents.BaseAgent.parse_llm_response": {"response": REQUIRED, "context": REQUIRED},
    "agents.AgentResponse": dict.fromkeys(
        (
            "success",
            "reasoning",
            "recommendations",
            "confidence",
            "safety_checks",
            "warnings",
            "timestamp",
            "agent_name",
        ),
        REQUIRED,
    ),
    "core.DependencyAnalyzer": {"model": REQUIRED},
    "core.DependencyAnalyzer.get_dependency_graph": {},
    "core.DependencyAnalyzer.get_coupling_constraints": {},
    "core.DependencyAnalyzer.get_coupled_layers": {"layer_name": REQUIRED},
    "core.IsomorphicAnalyzer": {"model": REQUIRED},
    "core.IsomorphicAnalyzer.create_isomorphic_groups": {"target_ratio": REQUIRED, "group_ratios": None},
    "utils.TimingProfiler": {},
    "utils.TimingProfiler.timer": {"name": REQUIRED},
    "utils.TimingProfiler.start_timer": {"name": REQUIRED},
    "utils.TimingProfiler.end_timer": {"name": REQUIRED},
    "utils.TimingProfiler.get_summary": {},
    "utils.metrics.compute_macs": {"model": REQUIRED, "input_shape": REQUIRED},
    "utils.metrics.compute_params": {"model": REQUIRED},
    "utils.metrics.register_metric": {"name": REQUIRED},
    "baselines.MagnitudePruning": {"criterion": ANY},
    "baselines.TaylorPruning": {},
    "baselines.IsomorphicOriginal": {},
    "baselines.BasePruningMethod": {},
    **{
        f"baselines.{name}.prune_to_target_macs": {"model_name": REQUIRED, "target_macs": REQUIRED, "dataset": REQUIRED}
        for name in ("BasePruningMethod", "MagnitudePruning", "TaylorPruning", "IsomorphicOriginal")
    },
    "baselines.BasePruningMethod.load_model": {"model_name": REQUIRED},
    "baselines.BasePruningMethod.apply_custom_pruning": {"model": REQUIRED, "target_macs": REQUIRED},
    "baselines.BasePruningMethod.fine_tune_and_evaluate": {"model": REQUIRED, "dataset": REQUIRED},
    "baselines.BasePruningMethod.compute_macs": {"model": REQUIRED},
    "validation.PaperReproductionValidator": {"config_path": ANY, "output_dir": ANY},
    "validation.PaperReproductionValidator.validate_all_targets": {"methods": None, "num_runs": 3},
    "validation.PaperReproductionValidator.analyze_results": {},
    "validation.PaperReproductionValidator.generate_visualizations": {},
    "tools.ModelDownloader": {"num_workers": 4},
    "tools.ModelDownloader.download_models": {"model_names": REQUIRED, "parallel": True},
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_every_name_is_where_the_reference_imports_it_from(module: str, name: str) -> None:
    home = import_module(f"{PACKAGE}.{module}" if module else PACKAGE)
    assert getattr(home, name).__name__ == name


@pytest.mark.parametrize("path", SIGNATURES)
def test_every_argument_is_as_in_the_reference(path: str) -> None:
    parts = path.split(".")
    split = next(index for index, part in enumerate(parts) if part[0].isupper() or index == len(parts) - 1)
    found: Any = import_module(".".join([PACKAGE, *parts[:split]]))
    for part in parts[split:]:
        found = getattr(found, part)
    parameters = {name: each for name, each in inspect.signature(found).parameters.items() if name != "self"}
    expected = SIGNATURES[path]
    assert list(expected) == list(parameters)[: len(expected)]
    for name, default in expected.items():
        parameter = parameters[name]
        if default is REQUIRED:
            assert parameter.default is inspect.Parameter.empty
        elif default is ANY:
            assert parameter.default is not inspect.Parameter.empty
        else:
            assert parameter.default == default
    further = [each for name, each in parameters.items() if name not in expected]
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    assert all(each.default is not inspect.Parameter.empty or each.kind in variable for each in further)


PROFILING = """
from multi_agent_pruning.agents import ProfilingAgent

agent = ProfilingAgent(config={'enable_caching': True})

import timm

model = timm.create_model('deit_small_patch16_224', pretrained=True)
result = agent.execute({
    'model': model,
    'model_name': 'deit_small',
    'dataset': 'imagenet'
})

profile = result['profile']
print(f"Architecture: {profile['architecture_type']}")
print(f"Prunable layers: {len(profile['prunable_layers'])}")
print(f"Safety limits: {profile['safety_limits']}")
profile_result = result
"""

MASTER = """
from multi_agent_pruning.agents import MasterAgent

agent = MasterAgent(config={
    'max_iterations': 5,
    'convergence_threshold': 0.005
})
result = agent.execute({
    'profile_results': profile_result['profile'],
    'target_ratio': 0.5,
    'history': [],
    'dataset_info': {
        'num_classes': 1000,
        'safety_limits': {'max_overall_pruning': 0.8}
    },
    'revision_number': 0
})

strategy = result['strategy']
print(f"Recommended ratio: {strategy['pruning_ratio']:.2f}")
print(f"Importance criterion: {strategy['importance_criterion']}")
print(f"Continue: {result['continue_iterations']}")
"""

OTHER_AGENTS = """
from multi_agent_pruning.agents import AnalysisAgent
agent = AnalysisAgent(config={'safety_enforcement': 'strict'})
from multi_agent_pruning.agents import PruningAgent
agent = PruningAgent(config={
    'backend': 'torch_pruning',
    'global_pruning': True
})
from multi_agent_pruning.agents import FineTuningAgent
agent = FineTuningAgent(config={
    'optimizer': 'adamw',
    'scheduler': 'cosine'
})
from multi_agent_pruning.agents import EvaluationAgent
agent = EvaluationAgent(config={'comprehensive_metrics': True})
"""

ANALYZERS = """
from multi_agent_pruning.core import DependencyAnalyzer

analyzer = DependencyAnalyzer(model)
dependencies = analyzer.get_dependency_graph()
constraints = analyzer.get_coupling_constraints()
from multi_agent_pruning.core import IsomorphicAnalyzer

analyzer = IsomorphicAnalyzer(model)
groups = analyzer.create_isomorphic_groups(target_ratio=0.5)
"""

TIMING = """
from multi_agent_pruning.utils import TimingProfiler
import timm

profiler = TimingProfiler()

with profiler.timer("operation_name"):
    # Your code here
    pass

profiler.get_summary()  # Print timing summary
with profiler.timer("model_loading"):
    model = timm.create_model('deit_small_patch16_224', pretrained=True)
profiler.start_timer("training")
# ... training code ...
elapsed = profiler.end_timer("training")
"""

METRICS = """
from multi_agent_pruning.utils.metrics import compute_macs

macs = compute_macs(model, (1, 3, 32, 32))
print(f"Model MACs: {macs/1e9:.2f}G")
from multi_agent_pruning.utils.metrics import compute_params

params = compute_params(model)
print(f"Model parameters: {params/1e6:.1f}M")
"""

CUSTOM_METRIC = """
from multi_agent_pruning.agents import EvaluationAgent
from multi_agent_pruning.utils.metrics import register_metric

@register_metric("custom_efficiency")
def compute_custom_efficiency(model, dataset_info):
    \"\"\"Custom efficiency metric.\"\"\"
    macs = compute_macs(model, (1, 3, 32, 32))
    params = compute_params(model)

    # Custom efficiency calculation
    efficiency = (params / 1e6) / (macs / 1e9)
    return efficiency

# Use in evaluation
evaluation_agent = EvaluationAgent(config={
    'custom_metrics': ['custom_efficiency']
})
"""

CUSTOM_AGENT = """
from multi_agent_pruning.agents import BaseAgent, AgentResponse

class CustomAgent(BaseAgent):
    def get_agent_role(self) -> str:
        return "Custom pruning agent"

    def execute(self, input_data: dict) -> dict:
        # Custom implementation
        return {
            'success': True,
            'agent_name': self.agent_name,
            'custom_result': 'value'
        }

    def parse_llm_response(self, response: str, context: dict) -> AgentResponse:
        # Custom LLM response parsing
        return AgentResponse(
            success=True,
            reasoning=response,
            recommendations={},
            confidence=0.8,
            safety_checks={},
            warnings=[],
            timestamp='',
            agent_name=self.agent_name
        )
"""

PRUNER = """
from multi_agent_pruning import MultiAgentPruner

pruner = MultiAgentPruner(config_path="path/to/config.yaml")
result = pruner.prune_model(
    model_name="deit_small",
    dataset="imagenet",
    target_ratio=0.5,
    output_dir="./results/deit_small_50pct"
)

print(f"Achieved {result['params_reduction']:.1%} reduction")
print(f"Final accuracy: {result['final_accuracy']:.1%}")
comparison = pruner.compare_methods(
    model_name="deit_small",
    dataset="imagenet",
    target_ratio=0.5,
    methods=["multi_agent", "magnitude_l1", "taylor"]
)

for method, result in comparison.items():
    print(f"{method}: {result['final_accuracy']:.1%} accuracy")
"""

BASELINES = """
from multi_agent_pruning.baselines import IsomorphicOriginal, MagnitudePruning, TaylorPruning

for pruner in (MagnitudePruning(criterion='l1'), TaylorPruning(), IsomorphicOriginal()):
    result = pruner.prune_to_target_macs(
        model_name="deit_small",
        target_macs=TARGET,
        dataset="imagenet"
    )
    print(result['final_accuracy'], result['final_macs'], result['method'])
"""

ERRORS = """
from multi_agent_pruning.exceptions import PruningError

try:
    result = pruner.prune_model("deit_small", "imagenet", 1.5)
except PruningError as e:
    print(f"Pruning failed: {e}")
from multi_agent_pruning.config import load_config
from multi_agent_pruning.exceptions import ConfigurationError

try:
    config = load_config("invalid_config.yaml")
except ConfigurationError as e:
    print(f"Configuration error: {e}")
from multi_agent_pruning.exceptions import ValidationError
from multi_agent_pruning.validation import PaperReproductionValidator

validator = PaperReproductionValidator(
    config_path="path/to/config.yaml",
    output_dir="./validation_results"
)
try:
    validator.validate_all_targets(num_runs=0)
except ValidationError as e:
    print(f"Validation failed: {e}")
"""

MEMORY_AND_CACHE = """
config = {
    'agents': {
        'pruning_agent': {
            'memory_efficient': True,
            'gradient_checkpointing': True,
            'batch_processing': True
        }
    },
    'precomputation': {
        'enabled': True,
        'cache_dir': './cache',
        'model_analysis': {
            'enabled': True,
            'cache_duration': 7200  # 2 hours
        },
        'importance_scores': {
            'enabled': True,
            'cache_duration': 3600  # 1 hour
        }
    }
}
"""

TINY = {"img_size": 32, "embed_dim": 48, "depth": 2, "num_heads": 3}
"""What makes DeiT-S small enough for a test: its structure stays."""

Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs examples one after the other, under the package's own name and with small models."""
    create = timm.create_model

    def create_small(name: str, pretrained: bool = False, **constants: Any) -> nn.Module:
        """The weights are drawn: there is no network."""
        torch.manual_seed(0)
        return create(name, **({**TINY, **constants} if pretrained else constants))

    monkeypatch.setattr(timm, "create_model", create_small)
    namespace: dict[str, Any] = {}

    def execute(example: str) -> dict[str, Any]:
        exec(compile(example.replace("multi_agent_pruning", PACKAGE), "example", "exec"), namespace)
        return namespace

    return execute


@pytest.fixture
def experiment(project: Path, imagenet: Path, quick: dict[str, Any]) -> Path:
    """The reference's path/to/config.yaml: ImageNet's layout in small, and a local checkpoint."""
    constants = {"image_size": 32, "embed_dim": 48, "depth": 2, "num_heads": 3}
    torch.manual_seed(0)
    torch.save(timm.create_model("deit_small_patch16_224", num_classes=3, **TINY).state_dict(), project / "deit.pt")
    values = {
        "datasets": {"imagenet": {"path": str(imagenet)}},
        "models": {"deit_small": {"checkpoint": "deit.pt", "constants": constants}},
        "agents": {"fine_tuning_agent": {"epochs": 1}, "master_agent": {"max_iterations": 1}},
        "pruner": quick,
    }
    path = project / "path" / "to" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(values))
    return path


def test_profiling_and_master(run: Run) -> None:
    found = run(PROFILING)
    assert found["result"].keys() >= {"profile", "llm_analysis", "cached", "timing"}
    assert found["profile"].architecture_type == "transformer"
    assert found["profile"]["prunable_layers"]
    result = run(MASTER)["result"]
    assert result.keys() >= {"strategy", "continue_iterations", "confidence", "directives"}
    assert 0 < result["strategy"]["pruning_ratio"] <= 0.8
    assert isinstance(result["continue_iterations"], bool)
    assert 0 <= result["confidence"] <= 1


def test_agents_analyzers_timers_and_metrics(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(OTHER_AGENTS)
    found = run(TIMING)
    assert found["elapsed"] >= 0
    assert "bottleneck: operation_name" in capsys.readouterr().out
    found = run(METRICS)
    assert found["macs"] > 0
    assert found["params"] == sum(parameter.numel() for parameter in found["model"].parameters())
    found = run(ANALYZERS)
    assert isinstance(found["dependencies"], dict)
    assert isinstance(found["constraints"], list)
    assert {group["kind"] for group in found["groups"].values()} >= {"attention", "mlp"}
    found = run(CUSTOM_METRIC)
    given = {"model": found["model"], "inputs": None, "input_shape": (1, 3, 32, 32)}
    answer = found["evaluation_agent"].execute(given)
    assert answer["custom_metrics"]["custom_efficiency"] == pytest.approx(found["params"] / found["macs"] * 1e3)


def test_an_agent_of_ones_own(run: Run) -> None:
    agent = run(CUSTOM_AGENT)["CustomAgent"](config={})
    assert agent.execute({}) == {"success": True, "agent_name": "custom", "custom_result": "value"}
    assert agent.parse_llm_response("because", {}).reasoning == "because"


@pytest.mark.usefixtures("experiment")
def test_errors_are_caught_as_in_the_reference(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run('from multi_agent_pruning import MultiAgentPruner\npruner = MultiAgentPruner("path/to/config.yaml")')
    run(ERRORS)
    printed = capsys.readouterr().out
    assert "Pruning failed: target_ratio cannot be 1.5" in printed
    assert "Configuration error: cannot read invalid_config.yaml" in printed
    assert "Validation failed: there is nothing to validate" in printed


def test_settings_given_as_mappings(run: Run) -> None:
    from netwright_pruning.config import load_config

    config = load_config(run(MEMORY_AND_CACHE)["config"])
    assert config.agents.pruning_agent.memory_efficient
    assert config.precomputation.model_analysis.cache_duration == 7200


@pytest.mark.slow
@pytest.mark.usefixtures("experiment", "no_latency")
def test_models_are_pruned_and_methods_compared(run: Run) -> None:
    found = run(PRUNER)
    keys = {"final_accuracy", "params_reduction", "macs_reduction", "convergence_iterations", "total_time_minutes"}
    assert list(found["comparison"]) == ["multi_agent", "magnitude_l1", "taylor"]
    for result in found["comparison"].values():
        assert result.keys() >= keys
        assert result["params_reduction"] == pytest.approx(0.5, abs=0.01)
    assert (Path("results") / "deit_small_50pct" / "report.html").is_file()


@pytest.mark.slow
def test_baselines_reach_their_target(run: Run, experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_EXPERIMENT", str(experiment))
    run("from multi_agent_pruning.baselines import TaylorPruning\nmethod = TaylorPruning()")
    found = run("TARGET = 0.5 * method.compute_macs(method.load_model('deit_small'))")
    result = run(BASELINES)["result"]
    assert result.keys() >= {"final_accuracy", "final_macs", "method"}
    assert result["final_macs"] == pytest.approx(found["TARGET"], rel=0.01)
