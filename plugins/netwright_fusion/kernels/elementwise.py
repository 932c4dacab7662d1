"""How each elementwise ATen operator reads in Triton.

NaN and infinity must come out where PyTorch has them: comparisons are turned so that NaN takes the branch that keeps
it, for Triton's own minimum and maximum drop it. No libdevice; what Triton has no function for is a helper kernel.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

HELPERS = {
    "kernel_tanh": '''@triton.jit
def kernel_tanh(x):
    """Hyperbolic tangent; a series near 0, where the quotient would cancel."""
    square = x * x
    inner = 2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0))
    series = x * (1.0 + square * (-1.0 / 3.0 + square * inner))
    exponential = tl.exp(-2.0 * tl.abs(x))
    magnitude = (1.0 - exponential) / (1.0 + exponential)
    return tl.where(square < 0.04, series, tl.where(x < 0.0, -magnitude, magnitude))
''',
    "kernel_log1p": '''@triton.jit
def kernel_log1p(x):
    """Logarithm of 1 + x, its rounding undone for small x (Kahan)."""
    rounded = 1.0 + x
    difference = rounded - 1.0
    usual = tl.log(rounded) * (x / tl.where(difference == 0.0, 1.0, difference))
    return tl.where(difference == 0.0, x, tl.where(rounded == float("inf"), rounded, usual))
''',
    "kernel_expm1": '''@triton.jit
def kernel_expm1(x):
    """Exponential less 1; a series near 0, where the difference would cancel."""
    series = x * (1.0 + x * (1.0 / 2.0 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0))))))
    return tl.where(tl.abs(x) < 0.25, series, tl.exp(x) - 1.0)
''',
    "kernel_softplus": '''@triton.jit
def kernel_softplus(x):
    """Logarithm of 1 + e^x without overflow."""
    return tl.where(x > 0.0, x, 0.0) + kernel_log1p(tl.exp(-tl.abs(x)))
''',
    "kernel_multiply": '''@triton.jit
def kernel_multiply(left, right):
    """The product, for reductions."""
    return left * right
''',
}
"""Kernels that kernels call, by name; each is written out where it is used."""
NEEDS = {"kernel_softplus": ("kernel_log1p",)}
"""Helpers that a helper calls."""

Given = Mapping[str, Any]
"""An operator's arguments by name: text where there was a tensor or a number, and other values as they are."""
Kind = Literal["float", "same", "compare", "logical", "choose"]
"""What the operands are converted to: float32; the result's type; their common type; truth; a condition and two of
the result's type."""


@dataclass(frozen=True)
class Expression:
    """One operator's text; None of arguments that it has no text for."""

    text: Callable[[Given], str | None]
    kind: Kind


def literal(number: bool | int | float) -> str:
    """A number as it is written in a kernel."""
    if isinstance(number, float) and not math.isfinite(number):
        return f'float("{number}")'
    return repr(number)


def _fixed(text: str, kind: Kind = "float") -> Expression:
    return Expression(text.format_map, kind)


def _add(sign: str) -> Callable[[Given], str]:
    def text(given: Given) -> str:
        scaled: str = given["other"] if given["alpha"] == 1 else f"{literal(given['alpha'])} * {given['other']}"
        return f"{given['self']} {sign} {scaled}"

    return text


def _rsub(given: Given) -> str:
    scaled = given["self"] if given["alpha"] == 1 else f"{literal(given['alpha'])} * {given['self']}"
    return f"{given['other']} - {scaled}"


def _div(given: Given) -> str | None:
    if given.get("rounding_mode") is None:
        return "{self} / {other}".format_map(given)
    return "tl.floor({self} / {other})".format_map(given) if given["rounding_mode"] == "floor" else None


POWERS = {
    -2.0: "1.0 / ({self} * {self})", -1.0: "1.0 / {self}", -0.5: "1.0 / tl.sqrt({self})", 0.5: "tl.sqrt({self})",
    1.0: "{self} * 1.0", 1.5: "{self} * tl.sqrt({self})", 2.0: "{self} * {self}", 3.0: "{self} * {self} * {self}",
    4.0: "({self} * {self}) * ({self} * {self})",
}  # fmt: skip
"""Other exponents would need a logarithm, which is not exact enough for large ones."""


def _pow(given: Given) -> str | None:
    exponent = given["exponent"]
    text = POWERS.get(float(exponent)) if isinstance(exponent, (int, float)) else None
    return text.format_map(given) if text is not None else None


def _clamp(given: Given) -> str:
    text = str(given["self"])
    if given["min"] is not None:
        text = f"tl.where({text} < {_bound(given['min'])}, {_bound(given['min'])}, {text})"
    if given["max"] is not None:
        if given["min"] is not None:
            return f"tl.where({given['self']} > {_bound(given['max'])}, {_bound(given['max'])}, {text})"
        text = f"tl.where({text} > {_bound(given['max'])}, {_bound(given['max'])}, {text})"
    return text


def _bound(bound: str | float) -> str:
    return bound if isinstance(bound, str) else literal(bound)


def _between(given: Given) -> str | None:
    low, high = given["min"], given["max"]
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low <= high:
        return _clamp(given)
    return _clamp(given) if low is None or high is None else None


def _gelu(given: Given) -> str:
    if given["approximate"] == "tanh":
        cube = "{self} + 0.044715 * {self} * {self} * {self}".format_map(given)
        return f"0.5 * {given['self']} * (1.0 + kernel_tanh(0.7978845608028654 * ({cube})))"
    return "0.5 * {self} * (1.0 + tl.erf(0.7071067811865476 * {self}))".format_map(given)


def _elu(given: Given) -> str:
    alpha, scale, inner = (float(given[name]) for name in ("alpha", "scale", "input_scale"))
    positive = given["self"] if scale == 1 else f"{literal(scale)} * {given['self']}"
    exponent = given["self"] if inner == 1 else f"{literal(inner)} * {given['self']}"
    factor = "" if alpha * scale == 1 else f"{literal(alpha * scale)} * "
    return f"tl.where({given['self']} > 0.0, {positive}, {factor}kernel_expm1({exponent}))"


def _selu(given: Given) -> str:
    return _elu({"self": given["self"], "alpha": 1.6732632423543772, "scale": 1.0507009873554805, "input_scale": 1.0})


def _celu(given: Given) -> str:
    alpha = float(given["alpha"])
    return _elu({"self": given["self"], "alpha": alpha, "scale": 1.0, "input_scale": 1.0 / alpha})


def _softplus(given: Given) -> str:
    beta, threshold = float(given["beta"]), float(given["threshold"])
    scaled = given["self"] if beta == 1 else f"{literal(beta)} * {given['self']}"
    text = f"kernel_softplus({scaled})" if beta == 1 else f"kernel_softplus({scaled}) / {literal(beta)}"
    return f"tl.where({scaled} > {literal(threshold)}, {given['self']}, {text})"


def _hardtanh(given: Given) -> str:
    return _clamp({"self": given["self"], "min": float(given["min_val"]), "max": float(given["max_val"])})


def _leaky_relu(given: Given) -> str:
    slope = literal(float(given["negative_slope"]))
    return f"tl.where({given['self']} > 0.0, {given['self']}, {slope} * {given['self']})"


def _threshold(given: Given) -> str:
    threshold, value = literal(float(given["threshold"])), literal(float(given["value"]))
    return f"tl.where({given['self']} <= {threshold}, {value}, {given['self']})"


def _addc(sign: str) -> Callable[[Given], str]:
    def text(given: Given) -> str:
        value = "" if given["value"] == 1 else f"{literal(given['value'])} * "
        return f"{given['self']} + {value}{given['tensor1']} {sign} {given['tensor2']}"

    return text


HARD = "tl.where({self} < -3.0, 0.0, tl.where({self} > 3.0, 6.0, {self} + 3.0))"

OPERATORS: dict[str, Expression] = {
    "abs": _fixed("tl.abs({self})", "same"),
    "add": Expression(_add("+"), "same"),
    "addcdiv": Expression(_addc("/"), "float"),
    "addcmul": Expression(_addc("*"), "float"),
    "bitwise_and": _fixed("{self} & {other}", "same"),
    "bitwise_or": _fixed("{self} | {other}", "same"),
    "bitwise_xor": _fixed("{self} ^ {other}", "same"),
    "ceil": _fixed("tl.ceil({self})"),
    "celu": Expression(_celu, "float"),
    "clamp": Expression(_between, "same"),
    "clamp_max": Expression(lambda given: _clamp({**given, "min": None}), "same"),
    "clamp_min": Expression(lambda given: _clamp({**given, "max": None}), "same"),
    "cos": _fixed("tl.cos({self})"),
    "div": Expression(_div, "float"),
    "divide": Expression(_div, "float"),
    "elu": Expression(_elu, "float"),
    "eq": _fixed("{self} == {other}", "compare"),
    "erf": _fixed("tl.erf({self})"),
    "exp": _fixed("tl.exp({self})"),
    "exp2": _fixed("tl.exp2({self})"),
    "expm1": _fixed("kernel_expm1({self})"),
    "floor": _fixed("tl.floor({self})"),
    "ge": _fixed("{self} >= {other}", "compare"),
    "gelu": Expression(_gelu, "float"),
    "gt": _fixed("{self} > {other}", "compare"),
    "hardsigmoid": _fixed(f"{HARD} / 6.0"),
    "hardswish": _fixed(f"{{self}} * {HARD} / 6.0"),
    "hardtanh": Expression(_hardtanh, "float"),
    "le": _fixed("{self} <= {other}", "compare"),
    "leaky_relu": Expression(_leaky_relu, "float"),
    "lerp": _fixed("{self} + {weight} * ({end} - {self})"),
    "log": _fixed("tl.log({self})"),
    "log1p": _fixed("kernel_log1p({self})"),
    "log2": _fixed("tl.log2({self})"),
    "log_sigmoid": _fixed("-kernel_softplus(-{self})"),
    "logical_and": _fixed("{self} & {other}", "logical"),
    "logical_not": _fixed("{self} == 0", "logical"),
    "logical_or": _fixed("{self} | {other}", "logical"),
    "lt": _fixed("{self} < {other}", "compare"),
    "masked_fill": _fixed("tl.where({mask}, {value}, {self})", "choose"),
    "max": _fixed("tl.where(({self} > {other}) | ({self} != {self}), {self}, {other})", "same"),
    "maximum": _fixed("tl.where(({self} > {other}) | ({self} != {self}), {self}, {other})", "same"),
    "min": _fixed("tl.where(({self} < {other}) | ({self} != {self}), {self}, {other})", "same"),
    "minimum": _fixed("tl.where(({self} < {other}) | ({self} != {self}), {self}, {other})", "same"),
    "mish": _fixed("{self} * kernel_tanh(tl.where({self} > 20.0, {self}, kernel_softplus({self})))"),
    "mul": _fixed("{self} * {other}", "same"),
    "multiply": _fixed("{self} * {other}", "same"),
    "ne": _fixed("{self} != {other}", "compare"),
    "neg": _fixed("-{self}", "same"),
    "pow": Expression(_pow, "float"),
    "reciprocal": _fixed("1.0 / {self}"),
    "relu": _fixed("tl.where({self} < 0.0, 0.0, {self})"),
    "relu6": _fixed("tl.where({self} < 0.0, 0.0, tl.where({self} > 6.0, 6.0, {self}))"),
    "rsqrt": _fixed("1.0 / tl.sqrt({self})"),
    "rsub": Expression(_rsub, "same"),
    "selu": Expression(_selu, "float"),
    "sigmoid": _fixed("1.0 / (1.0 + tl.exp(-{self}))"),
    "silu": _fixed("{self} / (1.0 + tl.exp(-{self}))"),
    "sin": _fixed("tl.sin({self})"),
    "softplus": Expression(_softplus, "float"),
    "sqrt": _fixed("tl.sqrt({self})"),
    "square": _fixed("{self} * {self}", "same"),
    "sub": Expression(_add("-"), "same"),
    "tanh": _fixed("kernel_tanh({self})"),
    "threshold": Expression(_threshold, "float"),
    "where": _fixed("tl.where({condition}, {self}, {other})", "choose"),
}  # fmt: skip
"""By the operator's name without overload and in-place mark."""

SAME = frozenset(
    {"_to_copy", "alias", "alpha_dropout", "clone", "contiguous", "detach", "dropout", "feature_dropout", "identity"}
) | {"lift_fresh_copy", "to"}
"""What changes the element type at most; of dropouts only those that are switched off."""
CONDITIONS = frozenset({"condition", "mask"})
"""Arguments that are truth values."""
