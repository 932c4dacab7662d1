"""Comparing tensors: how far values lie from the float64 oracle, and how far they may."""

from dataclasses import dataclass

import torch
from torch import Tensor

from netwright.cases import Tolerance

FLOAT32_EPS = torch.finfo(torch.float32).eps
ROUNDING_EPS = 16.0
"""How many spacings of its type, relative to the rms, what is computed anew may lie from what it was."""
FEW_ELEMENTS = 32
"""Below this many elements, one call's rounding error may be small by luck and is calibrated over further draws."""


@dataclass(frozen=True)
class Yardstick:
    """What one output tensor is held against.

    Attributes:
        oracle: The float64 values, or the exact ones of an integer tensor.
        eager: The unmodified module's own values, in its own type.
        error: The unmodified module's own largest error.
        rms_error: The root mean square of its errors.
        scale: The root mean square of the oracle's finite values.
        eps: The spacing of the floating-point type at 1.
    """

    oracle: Tensor
    eager: Tensor
    error: float
    rms_error: float
    scale: float
    eps: float

    def limits(self, tolerance: Tolerance) -> tuple[float, float]:
        """The largest error and root mean square error that `tolerance` allows."""
        floor = tolerance.floor_eps * self.eps * self.scale
        factor = tolerance.factor if self.eps <= FLOAT32_EPS else tolerance.narrow_factor
        return max(factor * self.error, floor), max(factor * self.rms_error, floor)


def errors(values: Tensor, oracle: Tensor) -> tuple[float, float]:
    """The largest and the root mean square error where both are finite; 0 where that is nowhere."""
    actual, expected = wide(values), wide(oracle)
    if not (all_finite(values) and all_finite(oracle)):
        both = actual.isfinite() & expected.isfinite()
        actual, expected = actual[both], expected[both]
    difference = actual - expected
    largest = float(torch.linalg.vector_norm(difference, float("inf"))) if difference.numel() else 0.0
    return largest, _root_mean_square(difference)


def rms(values: Tensor) -> float:
    """The root mean square of the finite values; 0 where there are none."""
    flat = wide(values)
    return _root_mean_square(flat if all_finite(values) else flat[flat.isfinite()])


def _root_mean_square(flat: Tensor) -> float:
    return float(torch.linalg.vector_norm(flat)) / flat.numel() ** 0.5 if flat.numel() else 0.0


def all_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite; looked at in one go, for it is asked of every output of every call."""
    real = _reals(values)
    if real.numel() == 0 or not real.is_floating_point():
        return True
    return all(bool(end.isfinite()) for end in torch.aminmax(real))


def wide(values: Tensor) -> Tensor:
    """The values in float64, flat; complex ones as pairs of reals, which they are already where they were sent."""
    return _reals(values).to(torch.float64)


def is_rounding(values: Tensor, before: Tensor) -> bool:
    """Whether floating-point values differ from what they were by no more than another order of operations makes."""
    if values.shape != before.shape or values.dtype != before.dtype or not before.is_floating_point():
        return False
    if not (all_finite(values) and all_finite(before)):
        return False
    return errors(values, before)[0] <= ROUNDING_EPS * torch.finfo(before.dtype).eps * rms(before)


def complaint(values: Tensor, yardstick: Yardstick, tolerance: Tolerance, *, strict: bool = True) -> str | None:
    """Why `values` are not what they should be, or None.

    Integers and booleans must be exactly the unmodified module's or the oracle's. NaN and infinities must stand where
    the unmodified module or the oracle has them. The errors of the rest must be within the limits.

    Args:
        strict: Whether NaN and infinities must match in kind, too (see `misplaced`).
    """
    if not (values.is_floating_point() or values.is_complex()):
        wrong = (values != yardstick.eager) & (values.to(torch.float64) != yardstick.oracle.to(torch.float64))
        return f"{int(wrong.sum())} of {wrong.numel()} elements differ" if bool(wrong.any()) else None
    odd = misplaced(values, yardstick, strict=strict)
    if odd:
        return f"{odd} of {values.numel()} elements are NaN or infinite, or fail to be, unlike the reference"
    (largest, mean), (limit, mean_limit) = errors(values, yardstick.oracle), yardstick.limits(tolerance)
    if largest > limit:
        return f"its largest error is {largest:.3g}, the limit {limit:.3g}"
    if mean > mean_limit:
        return f"its rms error is {mean:.3g}, the limit {mean_limit:.3g}"
    return None


def misplaced(values: Tensor, yardstick: Yardstick, *, strict: bool = True) -> int:
    """How many elements are NaN, +inf, -inf or finite where both the unmodified module and the oracle are not.

    Args:
        strict: False takes NaN and infinities for one: sums in another order make NaN of what was infinite.
    """
    if all_finite(values) and (all_finite(yardstick.eager) or all_finite(yardstick.oracle)):
        return 0
    odd = _unlike(values, yardstick.eager, strict=strict)
    if bool(odd.any()):
        odd &= _unlike(values, yardstick.oracle, strict=strict)
    return int(odd.sum())


def _unlike(values: Tensor, reference: Tensor, *, strict: bool) -> Tensor:
    """Per element, whether one of both is finite and the other is not; strictly, also whether they are not finite in
    different ways.
    """
    ours, theirs = _reals(values), _reals(reference)
    finite = ours.isfinite()
    unlike = finite ^ theirs.isfinite()
    if strict:
        unlike |= ~(finite | (ours == theirs) | (ours.isnan() & theirs.isnan()))
    return unlike


def _reals(values: Tensor) -> Tensor:
    """The values, flat, in a type that torch compares; complex ones as pairs of reals."""
    real = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    return (real.float() if real.is_floating_point() and real.element_size() == 1 else real).reshape(-1)
