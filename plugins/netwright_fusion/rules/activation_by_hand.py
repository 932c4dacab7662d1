"""An activation spelt out in products and elementary functions is one operator."""

from collections.abc import Callable
from math import isclose, pi, sqrt
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call
from netwright_fusion.rules.affine import affine_of
from netwright_fusion.rules.matching import has_one_user, source
from netwright_fusion.rules.redundant_clamp import clamp_bounds
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
DIGITS = 1e-8
"""How far a constant may be off, relatively: less than float32 rounds, as a person writes √(2 / π) in nine digits."""
DEPTH = 8
"""Operators between an activation's argument and its outer product, at most."""
CUBE = 0.044715
"""Of GELU's approximation (Hendrycks and Gimpel 2016)."""

Polynomial = dict[int, float]
"""Coefficients by power."""
Match = tuple[float, Any, dict[str, Any]]
"""What a product is multiplied with besides its factors, and the operator and its arguments that it is."""
EXACT_GELU: tuple[Any, dict[str, Any]] = (aten.gelu.default, {})


class ActivationByHand(NodeRule):
    """An activation's definition, operator by operator: SiLU, GELU's approximation, Mish or hard-swish by its name.

    They are x / (1 + e⁻ˣ), x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2, x tanh(log(1 + eˣ)) and
    x min(max(x + 3, 0), 6) / 6, written so or with a sigmoid, softplus or clamp; so is the sigmoid itself,
    1 / (1 + e⁻ˣ). Constants may stand anywhere in the product, and in the polynomial. Infinities meet the same factors
    on both sides: at minus infinity, SiLU divides it by infinity.
    """

    name = "activation by hand"
    reason = "There is one operator for what the steps compute, which reads and writes the values once."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The outer product of an activation, whose steps nobody else needs."""
        if not self.needs_finite and (logistic := _logistic(node)) is not None:
            return logistic
        if not is_call(node, aten.mul.Tensor, aten.div.Tensor) or not dtype(node).is_floating_point:
            return None
        factor, factors = _product(node)
        for x, gate in (factors, factors[::-1]) if len(factors) == 2 else ():
            found = _activation(x, gate) if has_one_user(gate) and dtype(x) == dtype(node) else None
            if found is None or (found[1:] == EXACT_GELU) != self.needs_finite:
                continue
            needed, operator, settings = found
            if isclose(factor, needed, rel_tol=DIGITS):
                return Rewrite(
                    f"{node.name} -> {operator.overloadpacket.__name__}", (gate, node), _calling(operator, x, settings)
                )
        return None


class GeluByHand(ActivationByHand):
    """x (1 + erf(x / √2)) / 2: GELU by its name.

    That is its definition. PyTorch's operator has NaN at infinity on some processors, where the steps have infinity.
    """

    name = "GELU by hand"
    needs_finite = True


def _calling(operator: Any, x: fx.Node, settings: dict[str, Any]) -> Callable[[fx.Graph], fx.Node]:
    return lambda graph: call(graph, operator, x, **settings)


def _product(node: fx.Node) -> tuple[float, list[fx.Node]]:
    """A node as a number times factors; products within it that nobody else needs are taken apart."""
    number, factors, pending = 1.0, [], [node]
    while pending:
        current = pending.pop()
        open_up = current is node or has_one_user(current)
        affine = affine_of(current) if open_up else None
        if affine is not None and affine.number is not None:
            number *= affine.number
            pending.append(affine.source)
        elif (
            open_up
            and is_call(current, aten.mul.Tensor)
            and all(isinstance(each, fx.Node) for each in current.args[:2])
        ):
            pending += reversed(current.args[:2])  # type: ignore[arg-type]
        else:
            factors.append(current)
    return number, factors


def _activation(x: fx.Node, gate: fx.Node) -> Match | None:
    """The activation of x that x times the gate is, and the number that it takes."""
    if is_call(gate, aten.sigmoid.default) and source(gate) is x:
        return 1.0, aten.silu.default, {}
    if clamp_bounds(gate) == (0.0, 6.0) and _is(_polynomial(source(gate), x), {0: 3.0, 1: 1.0}):
        return 1 / 6, aten.hardswish.default, {}
    if is_call(gate, aten.tanh.default) and _is_softplus(source(gate), x):
        return 1.0, aten.mish.default, {}
    affine = affine_of(gate)
    if affine is None or affine.shift != 1 or affine.subtracts or not has_one_user(affine.source):
        return None
    if is_call(affine.source, aten.erf.default) and _is(_polynomial(source(affine.source), x), {1: sqrt(0.5)}):
        return 0.5, *EXACT_GELU
    approximate = {1: sqrt(2 / pi), 3: CUBE * sqrt(2 / pi)}
    if is_call(affine.source, aten.tanh.default) and _is(_polynomial(source(affine.source), x), approximate):
        return 0.5, aten.gelu.default, {"approximate": "tanh"}
    return None


def _logistic(node: fx.Node) -> Rewrite | None:
    """1 / (1 + e⁻ˣ), or x / (1 + e⁻ˣ)."""
    divides = is_call(node, aten.div.Tensor)
    if not divides and not is_call(node, aten.reciprocal.default):
        return None
    below: Any = node.args[1] if divides else node.args[0]
    power = _exponent(below)
    minus = affine_of(power)
    if power is None or minus is None or minus.number != -1 or not all(has_one_user(each) for each in (power, below)):
        return None
    x, operator = minus.source, aten.silu.default if divides else aten.sigmoid.default
    if (divides and node.args[0] is not x) or dtype(x) != dtype(node):
        return None
    return Rewrite(f"{node.name} -> {operator.overloadpacket.__name__}", (below, node), _calling(operator, x, {}))


def _exponent(node: Any) -> Any:
    """The y of 1 + eʸ."""
    one = affine_of(node)
    plain = one is not None and one.shift == 1 and not one.subtracts and is_call(one.source, aten.exp.default)
    return source(one.source) if one is not None and plain and has_one_user(one.source) else None


def _is_softplus(node: fx.Node, x: fx.Node) -> bool:
    """Whether a node is log(1 + eˣ), within what rounding makes of its hyperbolic tangent."""
    if is_call(node, aten.log.default):
        return has_one_user(source(node)) and _exponent(source(node)) is x
    if is_call(node, aten.log1p.default):
        return is_call(source(node), aten.exp.default) and source(source(node)) is x
    if not is_call(node, aten.softplus.default):
        return False
    given = arguments(node)
    return given["self"] is x and (given["beta"], given["threshold"]) == (1, 20)


def _is(found: Polynomial | None, wanted: Polynomial) -> bool:
    return (
        found is not None
        and set(found) == set(wanted)
        and all(isclose(found[power], wanted[power], rel_tol=DIGITS) for power in wanted)
    )


def _polynomial(node: Any, x: fx.Node, depth: int = DEPTH) -> Polynomial | None:
    """A node as a polynomial in x, or None."""
    if node is x:
        return {1: 1.0}
    if isinstance(node, int | float):
        return {0: float(node)}
    if depth == 0 or not isinstance(node, fx.Node):
        return None
    if is_call(node, aten.pow.Tensor_Scalar):
        power = node.args[1]
        base = _polynomial(node.args[0], x, depth - 1) if power in (2, 3) else None
        return None if base is None else _times(base, base if power == 2 else _times(base, base))
    if not is_call(node, aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor):
        return None
    one, other = (_polynomial(each, x, depth - 1) for each in node.args[:2])
    if one is None or other is None or arguments(node).get("alpha", 1) != 1:
        return None
    if is_call(node, aten.mul.Tensor):
        return _times(one, other)
    if is_call(node, aten.div.Tensor):
        return _times(one, {0: 1 / other[0]}) if set(other) == {0} and other[0] else None
    sign = 1 if is_call(node, aten.add.Tensor) else -1
    return {power: one.get(power, 0.0) + sign * other.get(power, 0.0) for power in {*one, *other}}


def _times(one: Polynomial, other: Polynomial) -> Polynomial:
    product: Polynomial = {}
    for power, coefficient in one.items():
        for more, factor in other.items():
            product[power + more] = product.get(power + more, 0.0) + coefficient * factor
    return product
