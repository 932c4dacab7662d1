"""The analysis: every module of a model with the formula of its cost, and how that is known."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Site
from netwright_predictor.analyzers.derived import DerivedAnalyzer, Deriver, Measured
from netwright_predictor.analyzers.registry import analyzers_for
from netwright_predictor.polynomial import Polynomial
from netwright_predictor.population import Populated, Provenance, populate
from netwright_predictor.tracing.flow import Flow, Flows
from netwright_predictor.tracing.further import FurtherTraces
from netwright_predictor.tracing.likeness import attributes

Known = Literal["formula", "derived", "measured", "nothing"]
"""A hand-written formula that agrees with what was counted; one that was fitted to counts; no formula, so that it is
counted at the sizes that are asked for; nothing to compute."""

Quantity = Callable[[Mapping[str, int]], int]
"""A size of a call, by the sizes of the forward."""


@dataclass(frozen=True)
class CallCost:
    """What one call of a module costs.

    Attributes:
        analyzer: Its formulas.
        parameters: What they are given, at any size.
        known: How that is known.
        provenance: Where each parameter comes from.
        refuted: The hand-written analyzers whose FLOPs did not agree with what was counted.
    """

    analyzer: Analyzer
    parameters: Mapping[str, Quantity]
    known: Known
    provenance: Mapping[str, Provenance]
    refuted: tuple[str, ...] = ()

    def at(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """The parameters at `sizes`."""
        return {name: value(sizes) for name, value in self.parameters.items()}

    def flops(self, sizes: Mapping[str, int]) -> int:
        """Forward FLOPs at `sizes`."""
        return self.analyzer.compute_flops(**self.at(sizes))


@dataclass(frozen=True)
class ModuleCost:
    """What a module costs.

    Attributes:
        path: Its path ("" is the model).
        class_path: Its class.
        calls: Of a whole forward; empty for a module that is not called.
        unexplained: Why its cost is not known at all sizes, or None.
    """

    path: str
    class_path: str
    calls: tuple[CallCost, ...]
    unexplained: str | None = None

    def flops(self, sizes: Mapping[str, int]) -> int:
        """Forward FLOPs of the module itself, without its children."""
        return sum(call.flops(sizes) for call in self.calls)


def analyze(
    model: nn.Module, flows: Flows, *, dtype_bytes: int, traces: FurtherTraces | None = None
) -> list[ModuleCost]:
    """Every module of a model with its formulas, in the order of `named_modules`.

    Of layers that are alike one is analyzed; the others share its calls.

    Args:
        flows: All its calls in one phase.
        dtype_bytes: Bytes per number in the deployment.
        traces: The way to counts at further sizes, for modules without a hand-written formula; None allows only for the
            simplest formulas of those.
    """
    traces = traces or FurtherTraces(flows, "prefill", None)
    deriver = Deriver(traces)
    costs: dict[str, ModuleCost] = {}
    configs = _Configs()
    for path, module in model.named_modules():
        config = configs.of(path, module)
        origin = flows.origin(path)
        if origin in costs:
            costs[path] = replace(costs[origin], path=path)
            continue
        calls: list[CallCost | None] = []
        if path in flows.unequal:
            calls.append(_derived(Site(path, module, NO_FLOW, config()), None, deriver, traces, dtype_bytes))
        for number, flow in enumerate(flows.of(path)):
            site = Site(path, module, flow, config())
            known_cost = _written(site, flows, dtype_bytes)
            calls.append(known_cost or _derived(site, number, deriver, traces, dtype_bytes))
        known = tuple(call for call in calls if call is not None)
        reason = "what it costs follows no formula that was tried" if len(known) < len(calls) else None
        class_path = f"{type(module).__module__}.{type(module).__qualname__}"
        costs[path] = ModuleCost(path, class_path, known if reason is None else (), reason)
    return list(costs.values())


NO_FLOW = Flow({}, (), ())
"""What is known of a module whose number of calls depends on the sizes."""


class _Configs:
    """The configuration that governs each module: its own, or that of the part that it belongs to."""

    def __init__(self) -> None:
        self._by_path: dict[str, object] = {}
        self._as_dict: dict[int, Mapping[str, Any]] = {}

    def of(self, path: str, module: nn.Module) -> Callable[[], Mapping[str, Any]]:
        own = getattr(module, "config", None)
        parent = self._by_path.get(path.rpartition(".")[0])
        config = self._by_path[path] = own if hasattr(own, "to_dict") else parent
        return lambda: self._dictionary(config)

    def _dictionary(self, config: Any) -> Mapping[str, Any]:
        if config is None:
            return {}
        if id(config) not in self._as_dict:
            self._as_dict[id(config)] = config.to_dict()
        return self._as_dict[id(config)]


def _written(site: Site, flows: Flows, dtype_bytes: int) -> CallCost | None:
    """By the first hand-written formula that agrees with all counts."""
    counted = [call.flops.total() for call in site.flow.observed]
    sizes = [trace.sizes.variables for trace in flows.traces]
    refuted: list[str] = []
    for analyzer in analyzers_for(site.module):
        for cost in _bindings(analyzer, site, dtype_bytes):
            if all(cost.flops(at) == value for at, value in zip(sizes, counted, strict=True)):
                return replace(cost, refuted=tuple(refuted))
        refuted.append(type(analyzer).__name__)
    return None


def _derived(
    site: Site, number: int | None, deriver: Deriver, traces: FurtherTraces, dtype_bytes: int
) -> CallCost | None:
    """By a formula that is fitted to counts, or else by counting whenever it is asked for."""
    refuted = tuple(type(analyzer).__name__ for analyzer in analyzers_for(site.module))
    numbers = next(iter(DerivedAnalyzer().dimensions(site)))
    shared = {**numbers, "dtype_bytes": Polynomial.constant(dtype_bytes)}
    found = deriver.derive(site, number)
    if found is not None:
        known: Known = "derived" if str(found.formula) != "0" else "nothing"
        analyzer = DerivedAnalyzer(found.formula, found.note)
        return CallCost(analyzer, {**shared, "flops": found.formula}, known, {}, refuted)
    if not traces.can_trace:
        return None
    measured = Measured(traces, traces.origin(site.path), number)
    return CallCost(DerivedAnalyzer(measured, "counted"), {**shared, "flops": measured}, "measured", {}, refuted)


def _bindings(analyzer: Analyzer, site: Site, dtype_bytes: int) -> Iterator[CallCost]:
    required = analyzer.get_required_parameters()
    populated: dict[frozenset[str], Populated | None] = {}
    for dimensions in analyzer.dimensions(site):
        missing = frozenset(required.keys() - dimensions.keys())
        if missing not in populated:
            populated[missing] = _populate({name: required[name] for name in missing}, site, dtype_bytes)
        found = populated[missing]
        if found is not None:
            constants = {name: Polynomial.constant(value) for name, value in found.values.items()}
            yield CallCost(analyzer, {**dimensions, **constants}, "formula", found.provenance)


def _populate(required: Mapping[str, str], site: Site, dtype_bytes: int) -> Populated | None:
    try:
        return populate(
            required,
            config=site.config,
            runtime={"dtype_bytes": dtype_bytes},
            instance=attributes(site.module),
            module_class=f"{type(site.module).__module__}.{type(site.module).__qualname__}",
        )
    except (ValueError, TypeError):  # missing, or of a type that this analyzer cannot take, such as one per stage
        return None
