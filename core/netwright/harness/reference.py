"""The reference: what the unmodified module does, and what it would do in float64."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cases.seeding import seeded
from netwright.harness.attributes import Attributes, plain_tensors
from netwright.harness.clock import Clock
from netwright.harness.compare import FEW_ELEMENTS, errors, rms
from netwright.harness.draws import all_tensors, draw_call, draw_module
from netwright.harness.observe import as_tensor, flatten
from netwright.harness.oracle import cast_inputs, cast_module, in_float64, working_dtype
from netwright.harness.protocol import Draw, Expectation
from netwright.harness.subject import Subject

CALIBRATION_DRAWS = 8
CALIBRATION_SECONDS = 2.0


class Reference:
    """Runs the unmodified module as a subject, and copies of it in other precisions."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._case = subject.case
        self._copies: dict[torch.dtype, _Copy] = {}
        self._calibrations: dict[tuple[Draw, torch.dtype], dict[str, float]] = {}
        self._weights: tuple[int, bool] | None = None

    def expect(self, draw: Draw, precision: str | None) -> tuple[Expectation, dict[str, Tensor]]:
        """Everything that a variant's call on `draw` is held against.

        Args:
            precision: The floating-point type in which the module's own error is measured; null means the case's own.

        Raises:
            StageError: The unmodified module cannot be built or called.
        """
        observed, eager = self._subject.run(draw)
        tensors = {f"eager {name}": tensor for name, tensor in eager.items()}
        answer = Expectation(structure=observed.structure, leaves=observed.leaves, changed=observed.changed)
        inputs = draw_call(self._case, draw)
        dtype = working_dtype(self._subject.module, inputs)
        try:
            oracle = self._run(draw, inputs, torch.float64, tuple(eager))
            _require_same_shapes(oracle, eager)
        except Exception as error:  # whatever the module's code raises when its types are not those it expects
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            return answer.model_copy(update={"oracle_failure": why}), tensors
        tensors |= {f"oracle {name}": tensor for name, tensor in oracle.items()}
        measured_in, scale = _yardstick_type(dtype, precision)
        if measured_in != dtype:
            yardstick = self._run(draw, inputs, measured_in, tuple(eager))
            tensors |= {f"yardstick {name}": tensor for name, tensor in yardstick.items()}
        few = [name for name, value in oracle.items() if _is_few(value)]
        calibration = self._calibration(draw, measured_in, few) if few else {}
        return answer.model_copy(update={"yardstick_scale": scale, "calibration": calibration}), tensors

    def touched_bytes(self, draw: Draw) -> int:
        """The bytes that any correct variant must read or write in a call.

        Those are the elements of inputs on which some output depends (its gradient is not zero) and all outputs.
        Weights are left out: a variant may have boiled them down when it was loaded.
        """
        inputs = draw_call(self._case, draw)
        floating = [tensor.requires_grad_() for tensor in all_tensors(inputs) if tensor.is_floating_point()]
        module = draw_module(self._case, draw)
        with seeded(draw.seed), torch.enable_grad():
            _, leaves = flatten(module(*inputs.args, **inputs.kwargs))
            outputs = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
            written = sum(leaf.numel() * leaf.element_size() for leaf in outputs)
            smooth = [leaf for leaf in outputs if leaf.requires_grad]
            if not smooth or not floating:
                return written
            weights = [torch.rand_like(leaf) for leaf in smooth]
            gradients = torch.autograd.grad(smooth, floating, weights, allow_unused=True)
        return written + sum(
            int(gradient.count_nonzero()) * gradient.element_size() for gradient in gradients if gradient is not None
        )

    def _calibration(self, draw: Draw, dtype: torch.dtype, names: list[str]) -> dict[str, float]:
        """Per tensor, the module's largest error over further draws, relative to the oracle's rms.

        It is the same for all draws of one kind: those that differ in their seeds alone.
        """
        kind = draw.model_copy(update={"seed": 0, "nonce": 0}), dtype
        known = self._calibrations.setdefault(kind, {})
        if not known.keys() >= set(names):
            known.update(self._calibrate(draw, dtype, names))
        return {name: known[name] for name in names}

    def _calibrate(self, draw: Draw, dtype: torch.dtype, names: list[str]) -> dict[str, float]:
        clock: Clock = self._subject.clock
        started = clock.seconds()
        worst = dict.fromkeys(names, 0.0)
        for number in range(1, CALIBRATION_DRAWS + 1):
            other = draw.model_copy(update={"seed": draw.seed + number * 7919, "nonce": 0})
            inputs = draw_call(self._case, other)
            oracle = self._run(other, inputs, torch.float64, tuple(names))
            values = self._run(other, inputs, dtype, tuple(names))
            for name in names:
                if name in oracle and name in values:
                    error, scale = errors(values[name], oracle[name])[0], rms(oracle[name])
                    worst[name] = max(worst[name], error / scale if scale else 0.0)
            if clock.seconds() - started > CALIBRATION_SECONDS:
                break
        return worst

    def _run(self, draw: Draw, drawn: Inputs, dtype: torch.dtype, names: tuple[str, ...]) -> dict[str, Tensor]:
        """What a copy of the module in `dtype` returns, and what `names` holds after it, by name."""
        if self._weights != (draw.weight_seed, draw.perturbed):
            self._copies.clear()
            self._weights = (draw.weight_seed, draw.perturbed)
        if dtype not in self._copies:
            self._copies[dtype] = _Copy(draw_module(self._case, draw), dtype)
        copy = self._copies[dtype]
        inputs = cast_inputs(drawn, dtype)
        with seeded(draw.seed), torch.no_grad(), copy.precision(), copy.restored() as module:
            _, leaves = flatten(module(*inputs.args, **inputs.kwargs))
            state = copy.state() | {f"input {index}": tensor for index, tensor in enumerate(all_tensors(inputs))}
            results = {f"output {index}": as_tensor(leaf) for index, leaf in enumerate(leaves)}
            results |= {name: state[name].detach().clone() for name in names if name in state}
        return {name: results[name] for name in names if name in results}


@dataclass
class _Copy:
    """The case's module in another floating-point type."""

    module: nn.Module
    dtype: torch.dtype

    def __post_init__(self) -> None:
        self._narrow = working_dtype(self.module, Inputs())
        cast_module(self.module, self.dtype)
        self._pristine = {name: value.detach().clone() for name, value in self.module.named_buffers()}
        self._attributes = Attributes(self.module, [name for name, _ in plain_tensors(self.module)])

    def state(self) -> dict[str, Tensor]:
        """Parameters, buffers and plain attributes by the names that the harness gives them."""
        state = {f"parameter {name}": value.detach() for name, value in self.module.named_parameters()}
        state |= {f"buffer {name}": value for name, value in self.module.named_buffers()}
        return state | {f"attribute {name}": value for name, value in self._attributes.now().items()}

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Inside the block, everything is computed in float64 where that is this copy's type."""
        if self.dtype != torch.float64:
            yield
            return
        with in_float64(self._narrow):
            yield

    @contextmanager
    def restored(self) -> Iterator[nn.Module]:
        """The module; after the block its buffers and plain attributes are as before."""
        try:
            yield self.module
        finally:
            self._attributes.restore()
            for name, value in self.module.named_buffers():
                value.copy_(self._pristine[name])


def _is_few(oracle: Tensor) -> bool:
    """Whether a tensor's values are so few that one call's errors say little, and some can be held against others."""
    return oracle.is_floating_point() and oracle.numel() < FEW_ELEMENTS and bool(oracle.isfinite().any())


def _require_same_shapes(oracle: dict[str, Tensor], eager: dict[str, Tensor]) -> None:
    """The module may do something else in float64 than in its own type; then it is no oracle."""
    for name, value in eager.items():
        if name not in oracle or oracle[name].shape != value.shape:
            raise ValueError(f"in float64 the module leaves {name} in another shape, or not at all")


def _yardstick_type(dtype: torch.dtype, precision: str | None) -> tuple[torch.dtype, float]:
    """The type in which the module's own error is measured, and what to multiply that error with.

    A float64 module leaves no error to measure against a float64 oracle: its float32 error, scaled, stands for it.
    """
    wanted: torch.dtype = getattr(torch, precision) if precision else dtype
    if wanted == torch.float64:
        return torch.float32, torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
    return wanted, 1.0
