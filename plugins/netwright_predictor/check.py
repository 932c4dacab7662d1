"""The check: a prediction held against torch's own flop counter on the same forward, module by module."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from netwright_predictor.analysis import ModuleCost
from netwright_predictor.prediction import Check
from netwright_predictor.tracing.feed import Feed
from netwright_predictor.tracing.formulas import FORMULAS, is_silent
from netwright_predictor.tracing.repeats import skipped_repeats
from netwright_predictor.tracing.sizes import Phase, Sizes

SECONDS = 60.0
"""How long the count of one forward, and of its backward pass, may take by default."""
SMALL = {"B": ("batch", 2), "S": ("sequence", 24), "C": ("context", 40), "E": ("encoder", 32)}
"""The sizes, at most, of a second attempt where the first one takes too long, by what the model lets vary."""


class OutOfTimeError(Exception):
    """A count took longer than it may."""


@dataclass
class Count:
    """What torch's counter says of one forward.

    Attributes:
        own: FLOPs by path of the module whose own code, without its children, ran the operators; "" is the model.
        backward: FLOPs of the backward pass; None where none was asked for, or it failed.
        uncounted: Operators that multiply and that no formula covers.
        problem: Why there is no backward pass though one was asked for.
    """

    own: Counter[str] = field(default_factory=Counter)
    backward: int | None = None
    uncounted: set[str] = field(default_factory=set)
    problem: str | None = None

    @property
    def forward(self) -> int:
        """FLOPs of the forward."""
        return self.own.total()


def check_prediction(
    model: nn.Module,
    feed: Feed,
    costs: Sequence[ModuleCost],
    sizes: Sizes,
    phase: Phase,
    *,
    backward: Callable[[Sizes], int] | None = None,
    seconds: float = SECONDS,
) -> Check:
    """Count a forward, and in phase "train" the backward pass after it, and compare.

    Every layer runs, those that are alike, too. Where that takes too long at `sizes`, smaller ones stand in; where it
    still does, layers that are alike run once, in the forward only. `Check.sizes` and `Check.reason` say so.

    Args:
        model: As `faked` made it, inside its block.
        costs: The prediction, of all modules.
        backward: The predicted FLOPs of the backward pass; None leaves it out.
        seconds: The time box of one attempt.
    """
    reason = None
    sizes = feed.settle(sizes)
    for attempt, spare in _attempts(feed, sizes):
        both = backward is not None and not spare
        try:
            count = count_flops(model, feed, attempt, phase, backward=both, seconds=seconds, spare=spare)
        except OutOfTimeError:
            reason = f"a count at batch {attempt.batch}, length {attempt.sequence} takes more than {seconds:g} s"
            continue
        except Exception as error:  # a stranger's model may raise anything
            message = " ".join(f"{type(error).__name__}: {error}".split())
            return Check(status="not_measured", reason=message, derived_share=derived_share(costs, sizes))
        remark = "layers that are alike ran once" if spare else None
        if spare and backward is not None:
            remark = f"{remark}, and forward only"
        reason = "; ".join(part for part in (reason, count.problem, remark) if part) or None
        predicted = backward(attempt) if backward is not None and count.backward is not None else 0
        return _compare(costs, count, attempt, predicted, derived_share(costs, sizes), reason)
    return Check(status="not_measured", reason=reason, derived_share=derived_share(costs, sizes))


def count_flops(
    model: nn.Module,
    feed: Feed,
    sizes: Sizes,
    phase: Phase,
    *,
    backward: bool = False,
    seconds: float = SECONDS,
    spare: bool = False,
) -> Count:
    """Count one forward with torch's flop counter.

    A module's own FLOPs are what the counter gains between the start and the end of a call, less what it gains during
    the calls of other modules in between: neither names nor modules that several places share can mislead it.

    Args:
        model: As `faked` made it, inside its block.
        backward: Whether to count the backward pass, too.
        seconds: What it may take.
        spare: Whether layers that are alike run once, and the others count as much.

    Raises:
        OutOfTimeError: It took longer than `seconds`.
        Exception: Whatever the model's own code raises.
    """
    count = Count()
    kwargs = feed.inputs(model, sizes, phase)
    witness = _Witness(time.perf_counter() + seconds)
    counter = FlopCounterMode(display=False, custom_mapping={op: _raw(formula) for op, formula in FORMULAS.items()})
    witness.counted = counter.flop_registry
    count.uncounted = witness.uncounted
    with witness, counter, _without_gradients(model) if phase != "train" else nullcontext():
        with (
            _spared(model, count.own) if spare else nullcontext(),
            _attributed(model, counter.get_total_flops, count.own),
            torch.set_grad_enabled(phase == "train"),
        ):
            output = model(**kwargs)
        forward = counter.get_total_flops()
        if backward:
            try:
                _differentiate(model, output)
            except OutOfTimeError:
                raise
            except Exception as error:  # a stranger's model may raise anything
                count.problem = f"no count of the backward pass: {' '.join(str(error).split())}"
            else:
                count.backward = counter.get_total_flops() - forward
    return count


def derived_share(costs: Iterable[ModuleCost], sizes: Sizes) -> float:
    """The part of the predicted FLOPs that no hand-written formula gives, from 0 to 1."""
    by_kind: Counter[str] = Counter()
    for cost in costs:
        for call in cost.calls:
            by_kind[call.known] += call.flops(sizes.variables)
    total = by_kind.total()
    return (total - by_kind["formula"]) / total if total else 0.0


def _attempts(feed: Feed, sizes: Sizes) -> list[tuple[Sizes, bool]]:
    limits = [SMALL[name] for name in feed.varying]
    small = sizes.model_copy(update={name: min(getattr(sizes, name), most) for name, most in limits})
    return [(sizes, False), *([(small, False)] if small != sizes else []), (small, True)]


def _compare(
    costs: Sequence[ModuleCost], count: Count, sizes: Sizes, backward: int, derived: float, reason: str | None
) -> Check:
    off = {}
    for cost in costs:
        if difference := cost.flops(sizes.variables) - count.own[cost.path]:
            off[cost.path] = difference
    measured = count.forward + (count.backward or 0)
    difference = sum(cost.flops(sizes.variables) for cost in costs) + backward - measured
    return Check(
        status="off" if difference or off else "exact",
        measured_flops=measured,
        difference=difference,
        uncounted_ops=sorted(count.uncounted),
        derived_share=derived,
        modules_off=off,
        reason=reason,
        sizes=sizes,
    )


class _Witness(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Sees every operator that runs below the counter, and ends the run at a deadline."""

    def __init__(self, deadline: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.uncounted: set[str] = set()
        self.counted: Mapping[Any, Any] = {}
        self._deadline = deadline

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note one operator and run it."""
        del types
        if time.perf_counter() > self._deadline:
            raise OutOfTimeError
        packet = func._overloadpacket
        if packet not in self.counted and not is_silent(packet):
            self.uncounted.add(str(packet))
        return func(*args, **(kwargs or {}))


@contextmanager
def _without_gradients(model: nn.Module) -> Iterator[None]:
    """Inside the block, no parameter needs a gradient: torch's counter hooks onto those of modules' arguments."""
    learned = [each for each in model.parameters() if each.requires_grad]
    for each in learned:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in learned:
            each.requires_grad_(True)


@contextmanager
def _attributed(model: nn.Module, odometer: Callable[[], int], own: Counter[str]) -> Iterator[None]:
    """Inside the block, what the odometer gains is added to `own` of whichever module is innermost."""
    path_of = {module: path for path, module in model.named_modules()}
    inside: list[nn.Module] = []
    last = odometer()

    def settle() -> None:
        nonlocal last
        now = odometer()
        if now != last:
            own[path_of[inside[-1]] if inside else ""] += now - last
        last = now

    def enter(module: nn.Module, _: Any) -> None:
        settle()
        inside.append(module)

    def leave(_: nn.Module, __: Any, ___: Any) -> None:
        settle()
        inside.pop()

    with ExitStack() as stack:
        for module in path_of:
            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        yield


@contextmanager
def _spared(model: nn.Module, own: Counter[str]) -> Iterator[None]:
    """Inside the block, layers that are alike run once; after it, those that did not run have the same counts."""
    path_of = {module: path for path, module in model.named_modules()}
    same: dict[str, str] = {}

    def note(spared: nn.Module, first: nn.Module) -> None:
        same[path_of[spared]] = path_of[first]

    with skipped_repeats(model, note):
        yield
    for spared, first in sorted(same.items(), key=lambda pair: -pair[0].count(".")):  # the innermost first
        for path, flops in list(own.items()):
            if path == first or path.startswith(f"{first}."):
                own[spared + path[len(first) :]] = flops


def _differentiate(model: nn.Module, output: Any) -> None:
    """The backward pass by all trainable parameters, from what a loss would be taken of: the first output."""
    first = next(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor) and leaf.requires_grad)
    trainable = [each for each in model.parameters() if each.requires_grad]
    torch.autograd.grad(first.sum(), trainable, allow_unused=True)


def _raw(formula: Callable[..., int]) -> Callable[..., int]:
    """A formula of tensors as torch's counter takes it, which else hands on shapes."""

    def of_tensors(*args: Any, **kwargs: Any) -> int:
        return formula(*args, **kwargs)

    of_tensors._get_raw = True  # type: ignore[attr-defined]
    return of_tensors
