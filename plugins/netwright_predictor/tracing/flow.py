"""The flow: the sizes of what reaches every module, for any batch and length, read off a few traces."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from netwright_predictor.polynomial import Polynomial, simplest
from netwright_predictor.tracing.trace import Call, Shape, Trace

Dims = tuple[Polynomial, ...]


@dataclass(frozen=True)
class Flow:
    """One call of one module, at all sizes.

    Attributes:
        dims: The shapes of the tensors among its arguments, by parameter's name; those that no simple polynomial
            explains are missing.
        outputs: The shapes of what it returns; empty where one is not explained.
        observed: The call in each trace.
    """

    dims: Mapping[str, Dims]
    outputs: tuple[Dims, ...]
    observed: tuple[Call, ...]


@dataclass(frozen=True)
class Flows:
    """All calls of a forward.

    Attributes:
        traces: What they were read off.
        by_path: Calls by path of the module that made them; a module that is missing is not called.
        unequal: Paths of modules whose number of calls depends on the sizes.
    """

    traces: tuple[Trace, ...]
    by_path: Mapping[str, tuple[Flow, ...]]
    unequal: frozenset[str]

    def of(self, path: str) -> tuple[Flow, ...]:
        """The calls of a module, or of the alike one that stood in for it."""
        return self.by_path.get(self.origin(path), ())

    def origin(self, path: str) -> str:
        """The path of the module whose calls `path` has: its own, unless its layer was spared in all traces."""
        return _origin(self._always_same, path)

    @cached_property
    def _always_same(self) -> Mapping[str, str]:
        return _common(self.traces)


def read_flows(traces: Sequence[Trace]) -> Flows:
    """The flow through a model.

    Args:
        traces: Of one model in one phase, at sizes that differ in all that may vary.
    """
    shapes = _Shapes([trace.sizes.variables for trace in traces])
    same = _common(traces)
    by_path = {}
    unequal = set()
    for path in dict.fromkeys(path for trace in traces for path in _called(trace, same)):
        if _origin(same, path) != path:
            continue
        columns = [trace.calls.get(_origin(trace.same_as, path), []) for trace in traces]
        if len({len(column) for column in columns}) > 1:
            unequal.add(path)
        else:
            by_path[path] = tuple(_flow(calls, shapes) for calls in zip(*columns, strict=True))
    return Flows(tuple(traces), by_path, frozenset(unequal))


@dataclass(frozen=True)
class _Shapes:
    """Shapes as polynomials; what was explained once is remembered, for few shapes differ in a model."""

    sizes: Sequence[Mapping[str, int]]
    known: dict[tuple[int, ...], Polynomial | None] = field(default_factory=dict)

    def explain(self, shapes: Sequence[Shape]) -> Dims | None:
        if len({len(shape) for shape in shapes}) > 1:
            return None
        dims = []
        for values in zip(*shapes, strict=True):
            if values not in self.known:
                self.known[values] = simplest(values, self.sizes)
            found = self.known[values]
            if found is None:
                return None
            dims.append(found)
        return tuple(dims)


def _flow(calls: Sequence[Call], shapes: _Shapes) -> Flow:
    dims = {}
    for name in calls[0].shapes:
        explained = shapes.explain([call.shapes.get(name, ()) for call in calls])
        if explained is not None:
            dims[name] = explained
    outputs = [shapes.explain(each) for each in zip(*(call.outputs for call in calls), strict=False)]
    known = tuple(each for each in outputs if each is not None)
    return Flow(dims, known if len(known) == len(outputs) else (), tuple(calls))


def _called(trace: Trace, same: Mapping[str, str]) -> Iterator[str]:
    """The paths of modules that ran, and of those in layers that were spared in this trace but not in every one."""
    yield from trace.calls
    for spared in trace.same_as.keys() - same.keys():
        first = _origin(trace.same_as, spared)
        yield from (spared + path[len(first) :] for path in trace.calls if f"{path}.".startswith(f"{first}."))


def _common(traces: Sequence[Trace]) -> Mapping[str, str]:
    first, *others = (trace.same_as for trace in traces)
    return {path: same for path, same in first.items() if all(other.get(path) == same for other in others)}


def _origin(same_as: Mapping[str, str], path: str) -> str:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        first = same_as.get(".".join(parts[:length]))
        if first is not None:
            return _origin(same_as, ".".join([first, *parts[length:]]))
    return path
