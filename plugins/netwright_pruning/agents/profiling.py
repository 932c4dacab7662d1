"""The profiling agent: what kind of model this is, which layers can be pruned, and how far."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from netwright.cases import Inputs, map_tensors
from netwright.context import current_run
from netwright.files import cache_folder, content_key, write_text
from netwright_pruning.agents.base import Message, PruningLoopAgent, read_inputs, read_survey
from netwright_pruning.agents.config import ProfilingConfig, SafetyLimits
from netwright_pruning.agents.questions import LayerFacts, Reading
from netwright_pruning.agents.records import Architecture, LayerKind, ModelProfile, PrunableLayer
from netwright_pruning.groups import ChannelGroup
from netwright_pruning.members import output_dim
from netwright_pruning.survey import Survey

ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
MLP = re.compile(r"mlp|ffn|feed_forward|intermediate|pwconv|\bfc[12]\b", re.IGNORECASE)


class ProfilingAgent(PruningLoopAgent):
    """Finds out what a model is made of; the model is left as it is.

    Args:
        config: `enable_caching`, `cache_duration` and further settings of `ProfilingConfig`.
    """

    config_class = ProfilingConfig
    config: ProfilingConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You profile neural networks before they are pruned: what they are made of, and what is delicate."

    def execute(self, input_data: Message) -> Message:
        """Profile a model.

        Args:
            input_data: `model`; `model_name` and `dataset` for the record; what it takes: `input_size` (pixels),
                `input_shape`, or `inputs`; `safety_limits` that count more than the configured ones.

        Returns:
            `profile` (a `ModelProfile`), `llm_analysis` (`summary` and `sensitive_layers`, decided by the language
            model where there is one), `cached`, and `timing` (seconds).

        Raises:
            UserError: There is no model, it has no layer to prune, or no input that was tried suits it.
            NetwrightError: It cannot be traced.
        """
        started = time.perf_counter()
        model = self._required(input_data, "model", nn.Module)
        inputs = read_inputs(input_data, model)
        limits = merge_limits(self.config.safety_limits, input_data.get("safety_limits", {}))
        name = str(input_data.get("model_name", type(model).__name__))
        dataset = str(input_data.get("dataset", ""))
        kept = self._kept_file(model, inputs, name, dataset, limits)
        profile, survey_s = self._read(kept), 0.0
        cached = profile is not None
        if profile is None:
            survey = read_survey(input_data, model, inputs, self.config.round_to)
            survey_s = time.perf_counter() - started
            profile = self._profile(model, survey, name, dataset, limits)
            if kept is not None:
                write_text(kept, profile.model_dump_json())
        analysis = {"summary": _summary(profile), "sensitive_layers": profile.sensitive_layers}
        seconds = time.perf_counter() - started
        timing = {"total_seconds": seconds, "survey_seconds": survey_s}
        return self._answer(profile=profile, llm_analysis=analysis, cached=cached, timing=timing)

    def _profile(self, model: nn.Module, survey: Survey, name: str, dataset: str, limits: SafetyLimits) -> ModelProfile:
        graph = survey.rehearsal.graph
        groups = [group for group in graph.groups.values() if group.name not in survey.faults]
        layers = [_layer(model, group, survey, limits) for group in groups]
        narrowest, whole = survey.counts(survey.narrowest), survey.counts({})
        architecture = architecture_of(model)
        reading = current_run().decide(
            Reading(
                model_name=name,
                architecture=architecture,
                layers=[LayerFacts(name=x.name, kind=x.kind, units=x.units, limit=x.limit) for x in layers],
                held=len(graph.held) + len(survey.faults),
            )
        )
        floors = {metric: 1 - narrowest[metric] / whole[metric] for metric in whole}
        safety = {
            "max_overall_pruning": _least(floors["parameters"], limits.max_overall_pruning),
            "max_macs_pruning": _least(floors["macs"], limits.max_macs_pruning),
            **{key: value for key, value in limits if value is not None and key not in _OVERALL},
        }
        return ModelProfile(
            model_name=name,
            dataset=dataset,
            architecture_type=architecture,
            parameters=survey.before.parameters,
            macs=survey.before.macs,
            prunable_layers=layers,
            safety_limits=safety,
            coupling=_coupling(layers, survey),
            sensitive_layers=reading.sensitive_layers,
        )

    def _kept_file(
        self, model: nn.Module, inputs: Inputs, name: str, dataset: str, limits: SafetyLimits
    ) -> Path | None:
        if not self.config.enable_caching:
            return None
        shapes: list[Any] = [[key, list(tensor.shape)] for key, tensor in model.state_dict().items()]
        shapes += [list(value.shape) for value in _tensors(inputs)]
        settings = [self.config.round_to, limits.model_dump(), current_run().llm.backend]
        key = content_key(repr(model), name, dataset, shapes, settings)
        return (self.config.cache_dir or cache_folder("pruning")) / "profiles" / f"{key[:32]}.json"

    def _read(self, kept: Path | None) -> ModelProfile | None:
        """A kept profile, if there is one that is young enough and whole."""
        try:
            if kept is None or time.time() - kept.stat().st_mtime > self.config.cache_duration:
                return None
            return ModelProfile.model_validate_json(kept.read_bytes())
        except (OSError, ValidationError):
            return None


_OVERALL = ("max_overall_pruning", "max_macs_pruning")


def merge_limits(limits: SafetyLimits, given: Mapping[str, Any] | SafetyLimits) -> SafetyLimits:
    """Limits with others over them, the tighter of each.

    Raises:
        UserError: A limit is unknown or out of range.
    """
    from netwright.config import parse_config

    other = given if isinstance(given, SafetyLimits) else parse_config(SafetyLimits, dict(given), path="safety_limits")
    found = {}
    for key, mine in limits:
        values = [value for value in (mine, getattr(other, key)) if value is not None]
        found[key] = min(values, default=None)
    return SafetyLimits(**found)


def architecture_of(model: nn.Module) -> Architecture:
    """What kind of network a model is, by its layers."""
    modules = list(model.modules())
    convolutions = sum(isinstance(module, _ConvNd) for module in modules)
    attention = any(
        isinstance(module, nn.MultiheadAttention) or ATTENTION.search(type(module).__name__) for module in modules
    )
    if attention:
        return "hybrid" if convolutions > 3 else "transformer"
    if any(isinstance(module, nn.RNNBase) for module in modules):
        return "recurrent"
    return "convolutional" if convolutions else "mlp"


def kind_of(model: nn.Module, group: ChannelGroup) -> LayerKind:
    """What a group's channels are: by the module they belong to, and by how many layers produce them."""
    layer = group.name.partition("[")[0]
    producers = set()
    for member in group.members:
        module = model.get_submodule(member.module)
        grouped = isinstance(module, _ConvNd) and module.groups > 1
        if member.dim == output_dim(module, member.weight) and not grouped:
            producers.add(member.module)
    near = ".".join(layer.split(".")[-2:])
    owner = type(model.get_submodule(layer.rpartition(".")[0])).__name__
    inside = ATTENTION.search(near) or ATTENTION.search(owner)
    together = len({name.rpartition(".")[0] for name in producers}) == 1
    if inside and together:
        return "attention"
    if len(producers) > 1:
        return "residual"
    if MLP.search(near):
        return "mlp"
    module = model.get_submodule(layer)
    if isinstance(module, nn.Embedding) or "embed" in near:
        return "embedding"
    return "convolution" if isinstance(module, _ConvNd) else "linear"


def _layer(model: nn.Module, group: ChannelGroup, survey: Survey, limits: SafetyLimits) -> PrunableLayer:
    kind = kind_of(model, group)
    possible = len(survey.narrowest.get(group.name, ())) / group.channels
    of_kind = getattr(limits, f"max_{kind}_pruning", None)
    own = [m for m in group.members if m.dim == output_dim(model.get_submodule(m.module), m.weight)]
    coupled = dict.fromkeys(member.module for member in own)
    return PrunableLayer(
        name=group.name,
        kind=kind,
        units=group.units,
        channels=group.channels,
        coupled=[name for name in coupled if name != group.name.partition("[")[0]],
        limit=_least(possible, limits.max_layer_pruning, of_kind),
    )


def _coupling(layers: list[PrunableLayer], survey: Survey) -> list[str]:
    found = []
    for layer in layers:
        if layer.coupled:
            names = ", ".join(f"'{name}'" for name in [layer.name, *layer.coupled])
            found.append(f"{names} lose the same channels")
        if layer.units < layer.channels:
            found.append(f"'{layer.name}' loses {layer.channels // layer.units} channels at a time")
    found += [f"'{fault.group}' stays whole: {fault.reason}" for fault in survey.faults.values()]
    return found


def _summary(profile: ModelProfile) -> str:
    kinds: dict[str, int] = {}
    for layer in profile.prunable_layers:
        kinds[layer.kind] = kinds.get(layer.kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    largest = profile.safety_limits["max_macs_pruning"]
    return f"{profile.architecture_type}: {listed}; at most {largest:.0%} of the MACs can go"


def _tensors(inputs: Inputs) -> list[Tensor]:
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(inputs, keep)
    return found


def _least(value: float, *others: float | None) -> float:
    return min([value, *(other for other in others if other is not None)])
