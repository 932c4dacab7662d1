"""The counter: floating-point operations of each operator that is dispatched, by the module call that it belongs to."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from netwright_predictor.tracing.formulas import FORMULAS, is_silent

Formula = Callable[..., int]


class OperatorCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own class is not annotated
    """Counts operators inside the block, each for whoever is innermost then.

    Operators without a formula that stand for others are taken apart.

    Attributes:
        flops: By operator name, for whoever is innermost; replaced through `enter` and `leave`.
        uncounted: Names of operators that do matrix products, convolutions or the like, and that no formula covers.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: Counter[str] = Counter()
        self.uncounted: set[str] = set()
        self._formulas: Mapping[Any, Formula] = {**flop_registry, **FORMULAS}

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Count one operator and run it."""
        kwargs = kwargs or {}
        packet = func._overloadpacket
        formula = self._formulas.get(packet)
        if formula is None and func is not torch.ops.prim.device.default:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if formula is not None:
            self.flops[str(packet)] += formula(*args, **kwargs, out_val=result)
        elif not is_silent(packet):
            self.uncounted.add(str(packet))
        return result
