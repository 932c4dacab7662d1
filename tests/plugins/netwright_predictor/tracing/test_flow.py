"""Polynomials read off traces that are written by hand."""

from collections import Counter
from collections.abc import Mapping

from netwright_predictor.polynomial import Polynomial
from netwright_predictor.tracing.flow import read_flows
from netwright_predictor.tracing.sizes import Sizes
from netwright_predictor.tracing.trace import Call, Shape, Trace

B, S = Polynomial.variable("B"), Polynomial.variable("S")
SIZES = [Sizes(batch=batch, sequence=length) for batch, length in ((2, 7), (3, 11), (5, 13))]


def traced(sizes: Sizes, shapes: Mapping[str, list[Shape]], same_as: Mapping[str, str] | None = None) -> Trace:
    calls = {path: [Call({"x": shape}, (shape,), Counter()) for shape in each] for path, each in shapes.items()}
    return Trace(sizes, calls, same_as or {})


def test_shapes_become_polynomials() -> None:
    flows = read_flows([traced(at, {"proj": [(at.batch * at.sequence, 64)]}) for at in SIZES])
    (flow,) = flows.of("proj")
    assert flow.dims["x"] == (B * S, Polynomial.constant(64))
    assert flow.outputs == (flow.dims["x"],)


def test_a_shape_that_no_simple_polynomial_explains_is_left_out() -> None:
    flows = read_flows([traced(at, {"odd": [(at.sequence**3,)]}) for at in SIZES])
    (flow,) = flows.of("odd")
    assert not flow.dims
    assert not flow.outputs


def test_a_module_that_is_called_several_times_has_a_flow_for_each_call() -> None:
    flows = read_flows([traced(at, {"shared": [(at.batch,), (at.sequence,)]}) for at in SIZES])
    assert [flow.dims["x"] for flow in flows.of("shared")] == [(B,), (S,)]


def test_calls_whose_number_depends_on_sizes_are_told() -> None:
    flows = read_flows([traced(at, {"expert": [(1,)] * at.batch}) for at in SIZES])
    assert flows.unequal == {"expert"}
    assert flows.of("expert") == ()


def test_a_spared_layer_has_the_calls_of_the_one_that_ran() -> None:
    same = {"layers.1": "layers.0", "layers.2": "layers.1"}
    flows = read_flows([traced(at, {"layers.0.mlp": [(at.batch,)]}, same) for at in SIZES])
    assert flows.origin("layers.2.mlp") == "layers.0.mlp"
    assert flows.of("layers.2.mlp") == flows.of("layers.0.mlp")


def test_a_layer_that_was_spared_only_once_keeps_calls_of_its_own() -> None:
    spared = traced(SIZES[0], {"layers.0": [(2,)]}, {"layers.1": "layers.0"})
    ran = [traced(at, {"layers.0": [(at.batch,)], "layers.1": [(at.batch,)]}) for at in SIZES[1:]]
    flows = read_flows([spared, *ran])
    assert flows.origin("layers.1") == "layers.1"
    assert flows.of("layers.1")[0].dims["x"] == (B,)
