"""Further traces: counts at more sizes than a prediction starts from, made when they are asked for."""

from collections.abc import Callable, Mapping
from itertools import cycle, islice

from netwright.errors import NetwrightError
from netwright_predictor.tracing.flow import Flows
from netwright_predictor.tracing.sizes import Phase, Sizes
from netwright_predictor.tracing.trace import Trace

MORE: Mapping[str, tuple[int, ...]] = {
    "batch": (1, 4, 2, 7, 3),
    "sequence": (1, 67, 20, 130, 33, 5, 301, 64, 16, 90, 2),
    "context": (3, 40, 130, 71, 8, 259, 19),
    "encoder": (6, 33, 12, 70, 21, 4),
}
"""Values that sizes take in further traces, in lists of different lengths so that their combinations differ: short and
long ones, even and odd, a single token among them."""
SEVERAL = (1, 4, 2, 3)
"""How many windows there are, where a size comes in whole ones only."""
NUMBER = 11
"""How many further traces there are."""
NAMES = {"batch": "B", "sequence": "S", "context": "C", "encoder": "E"}


class FurtherTraces:
    """The traces of a model in one phase: those that there are, and others on demand.

    Args:
        flows: What was traced so far.
        phase: The phase.
        take: Traces at given sizes; None where there is no model at hand.
        windows: A size that comes in whole windows only, and how much one is.
    """

    def __init__(
        self, flows: Flows, phase: Phase, take: Callable[[Sizes], Trace] | None, windows: tuple[str, int] | None = None
    ) -> None:
        self.phase = phase
        self._windows = windows
        self.origin = flows.origin
        self.known = [trace.sizes for trace in flows.traces]
        self._take = take
        self._traces: dict[Sizes, Trace | None] = dict(zip(self.known, flows.traces, strict=True))
        self._further: list[Sizes] | None = None

    @property
    def can_trace(self) -> bool:
        """Whether there is a way to other sizes at all."""
        return self._take is not None

    @property
    def varying(self) -> frozenset[str]:
        """Names of the sizes in which the first traces differ, "B" among them."""
        return frozenset(name for name in NAMES if len({getattr(each, name) for each in self.known}) > 1)

    def further(self) -> list[Sizes]:
        """More sizes, of which the model takes all; they differ from the known ones in what those differ in."""
        if self._further is None:
            wanted = self._wanted() if self._take is not None else []
            self._further = [each for each in wanted if self._at(each) is not None]
        return self._further

    def flops(self, sizes: Sizes, path: str, number: int | None = None) -> int:
        """What a module itself did in one call, or in all of them.

        Args:
            path: Of a module that was not spared.
            number: Which call; None for all.

        Raises:
            NetwrightError: The model does not take these sizes.
        """
        trace = self._at(sizes)
        if trace is None:
            raise NetwrightError(f"the model's forward fails at {sizes}, so that its operations cannot be counted")
        calls = trace.calls.get(path, [])
        chosen = calls if number is None else calls[number : number + 1]
        return sum(call.flops.total() for call in chosen)

    def _at(self, sizes: Sizes) -> Trace | None:
        if sizes not in self._traces:
            self._traces[sizes] = self._try(sizes)
        return self._traces[sizes]

    def _try(self, sizes: Sizes) -> Trace | None:
        if self._take is None:
            return None
        try:
            return self._take(sizes)
        except Exception:  # a stranger's model may refuse sizes in any way; then they tell nothing
            return None

    def _wanted(self) -> list[Sizes]:
        names = sorted(self.varying)
        rows = zip(*(islice(cycle(self._values(name)), NUMBER) for name in names), strict=True)
        found = [self.known[0].model_copy(update=dict(zip(names, row, strict=True))) for row in rows]
        return [each for each in dict.fromkeys(found) if each not in self.known]

    def _values(self, name: str) -> tuple[int, ...]:
        if self._windows is None or self._windows[0] != name:
            return MORE[name]
        return tuple(number * self._windows[1] for number in SEVERAL)
