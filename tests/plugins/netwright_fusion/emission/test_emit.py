"""Whole generated files: they compute what the original computes, whatever that is built of."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright.loading import attribute_of, load_script
from netwright_fusion.capture import Captured, capture
from netwright_fusion.emission import EmissionError, Execution, emit, emit_baseline
from netwright_fusion.graph import attribute, call, nodes, replace, tidy
from netwright_fusion.origin import Origin
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.attention_by_hand import CausalAttentionByHand

aten = torch.ops.aten

RESIDUAL = """
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.norm(self.conv(x)))
        out += x
        return self.relu(out)


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, stride=2), nn.Dropout(0.2))
        self.layers = nn.ModuleList([Block(width) for _ in range(2)])
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in range(2)])
        self.heads = nn.ModuleDict({"a": nn.Linear(width, 2), "b-c": nn.Linear(width, 3)})

    def forward(self, x):
        x = self.stem(x)
        for layer, scale in zip(self.layers, self.scales):
            x = layer(x) * scale
        x = x.mean((2, 3))
        return {name: head(x) for name, head in self.heads.items()}
"""

RECURRENT = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 8, 2, batch_first=True, bidirectional=True)
        self.register_buffer("mask", torch.tril(torch.ones(5, 5)))
        self.plain = torch.arange(8.0)

    def forward(self, x, *, state=None, scale=None, double=True):
        out, (h, c) = self.lstm(x, state)
        attention = (x @ x.transpose(1, 2)).masked_fill(self.mask == 0, float("-inf")).softmax(-1)
        out = out[..., :8] * self.plain + torch.tensor([1.0, -2.0])[1]
        return out, [h, (c, attention)], None, 3
"""

WRITING = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 4))
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        out = torch.zeros(x.shape[0], 4)
        for i in range(3):
            out[:, i] = x[:, i] * self.w[i, i]
        self.count += 1
        weights = self.w.abs() + 0
        weights[0] = 2
        return out, weights.sum() * self.count
"""

LINEAR = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)

    def forward(self, x):
        return self.fc(x).sum(1)
"""


def _sum_first(captured: Captured) -> None:
    """By hand, what a rule would do: the sum over outputs as a product with the summed weight."""
    graph = captured.graph
    (total,) = nodes(graph, aten.sum)
    (linear,) = nodes(graph, aten.linear)
    x, weight, bias = linear.args
    with graph.graph.inserting_before(total):
        row = call(graph.graph, aten.sum.dim_IntList, weight, [0])
        offset = call(graph.graph, aten.sum.default, bias)
        product = call(graph.graph, aten.mv.default, x, row)
        new = call(graph.graph, aten.add.Tensor, product, offset)
    new.meta["comment"] = "the sum over outputs is a product with the summed weight"
    replace(total, new)
    tidy(graph)


@pytest.mark.parametrize("training", [False, True])
def test_a_network_with_containers_of_all_kinds(workshop: Any, training: bool) -> None:
    module, text = workshop.original(RESIDUAL, 8, training=training)
    inputs = Inputs((torch.randn(4, 3, 9, 9),))
    new, written = workshop.generate(module, inputs, text, 8)
    workshop.assert_same(new, module, inputs)
    workshop.assert_same(new, module, Inputs((torch.randn(6, 3, 9, 9),)))
    assert "self.layers[1].conv.weight" in written
    assert 'self.heads["b-c"].weight' in written
    assert text.strip() in written


def test_what_it_was_not_captured_for_goes_the_original_way(workshop: Any) -> None:
    module, text = workshop.original(RESIDUAL, 8)
    new, _ = workshop.generate(module, Inputs((torch.randn(4, 3, 9, 9),)), text, 8)
    workshop.assert_same(new, module, Inputs((torch.randn(2, 3, 17, 11),)))
    workshop.assert_same(new.double(), module.double(), Inputs((torch.randn(4, 3, 9, 9, dtype=torch.float64),)))
    workshop.assert_same(new.train(), module.train(), Inputs((torch.randn(4, 3, 9, 9, dtype=torch.float64),)))


def test_nested_outputs_keywords_and_constants(workshop: Any) -> None:
    module, text = workshop.original(RECURRENT)
    state = (torch.randn(4, 3, 8), torch.randn(4, 3, 8))
    inputs = Inputs((torch.randn(3, 5, 4),), {"double": True, "state": state})
    new, written = workshop.generate(module, inputs, text)
    workshop.assert_same(new, module, inputs)
    assert "def forward(self, x, *, state=None, scale=None, double=True):" in written
    workshop.assert_same(new, module, Inputs((torch.randn(3, 5, 4),)))


def test_writes_to_buffers_and_to_parts_of_tensors(workshop: Any) -> None:
    module, text = workshop.original(WRITING)
    inputs = Inputs((torch.randn(3, 4),))
    new, _ = workshop.generate(module, inputs, text)
    for _ in range(3):
        workshop.assert_same(new, module, inputs)
    assert float(new.count) == 3


def test_random_numbers_are_drawn_as_the_original_draws_them(workshop: Any) -> None:
    source = """
class Model(nn.Module):
    def forward(self, x):
        noise = torch.randn_like(x)
        torch.rand(3)
        return F.dropout(x, 0.5, True), x + noise, torch.bernoulli(x.sigmoid())
"""
    module, text = workshop.original(source)
    inputs = Inputs((torch.randn(3, 4),))
    new, _ = workshop.generate(module, inputs, text)
    workshop.assert_same(new, module, inputs)


def test_prepared_tensors_follow_every_change_of_weights(workshop: Any) -> None:
    module, text = workshop.original(LINEAR)
    inputs = Inputs((torch.randn(5, 6),))
    new, written = workshop.generate(module, inputs, text, rewrite=_sum_first)
    assert "# the sum over outputs is a product with the summed weight" in written
    calls = []
    prepare = new._prepare

    def prepare_and_count(device: torch.device) -> Any:
        calls.append(device)
        return prepare(device)

    new._prepare = prepare_and_count
    for _ in range(2):
        workshop.assert_same(new, module, inputs, exact=False)
    assert len(calls) == 1
    for changed in (new, module):  # in place
        with torch.no_grad():
            changed.fc.weight.mul_(2)
    workshop.assert_same(new, module, inputs, exact=False)
    other = {name: torch.randn_like(value) for name, value in module.state_dict().items()}
    for changed in (new, module):  # loaded
        changed.load_state_dict(other)
    workshop.assert_same(new, module, inputs, exact=False)
    for changed in (new, module):  # loaded by assignment
        changed.load_state_dict({name: value * 3 for name, value in other.items()}, assign=True)
    workshop.assert_same(new, module, inputs, exact=False)
    for changed in (new, module):  # under the parameter's feet
        changed.fc.bias.data = other["fc.bias"] * 5
    workshop.assert_same(new, module, inputs, exact=False)
    layer = nn.Linear(6, 8)
    new.fc, module.fc = layer, layer
    workshop.assert_same(new, module, inputs, exact=False)
    assert len(calls) == 6


CAUSAL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.tril(torch.ones(5, 5)))

    def forward(self, x):
        scores = (x @ x.transpose(1, 2)).masked_fill(self.mask == 0, float("-inf"))
        return scores.softmax(-1) @ x
"""


@pytest.mark.parametrize("execution", [Execution.EAGER, pytest.param(Execution.FROZEN, marks=pytest.mark.slow)])
def test_what_a_rewrite_assumes_of_a_buffer_is_looked_at_when_that_changes(workshop: Any, execution: Execution) -> None:
    module, text = workshop.original(CAUSAL)
    inputs = Inputs((torch.randn(2, 5, 4),))
    new, written = workshop.generate(module, inputs, text, execution=execution, rewrite=_cause)
    assert "is_causal=True" in written
    workshop.assert_same(new, module, inputs, exact=False)
    for mask in (torch.eye(5), torch.ones(5, 5), torch.ones(5, 5).tril()):
        for changed in (new, module):
            changed.load_state_dict({"mask": mask})
        workshop.assert_same(new, module, inputs, exact=False)


def _cause(captured: Captured) -> None:
    (applied,) = apply_rules(captured.graph, [CausalAttentionByHand()], training=False)
    assert applied.rule.measured


def test_a_copy_does_not_remember_the_first_ones_weights(workshop: Any) -> None:
    module, text = workshop.original(LINEAR)
    inputs = Inputs((torch.randn(5, 6),))
    new, _ = workshop.generate(module, inputs, text, rewrite=_sum_first)
    workshop.assert_same(new, module, inputs, exact=False)
    twin, other = copy.deepcopy(new), copy.deepcopy(module)
    for changed in (twin, other):
        with torch.no_grad():
            changed.fc.weight.mul_(3)
    workshop.assert_same(twin, other, inputs, exact=False)
    workshop.assert_same(new, module, inputs, exact=False)


def test_the_tensor_that_tells_the_device_stays_until_the_last_is_made(workshop: Any) -> None:
    source = """
class Model(nn.Module):
    def forward(self, x):
        gate = torch.tanh(x)
        x = x * 2.0
        out = gate + x
        return out + torch.ones(len(x), 1, device=x.device)
"""
    module, text = workshop.original(source)
    inputs = Inputs((torch.randn(512, 512),))
    new, _ = workshop.generate(module, inputs, text)
    workshop.assert_same(new, module, inputs)


def test_gradients_are_exact(workshop: Any) -> None:
    module, text = workshop.original(LINEAR)
    x = torch.randn(5, 6)
    new, _ = workshop.generate(module, Inputs((x,)), text, rewrite=_sum_first)
    with torch.no_grad():
        new(x)
    for each in (new, module):
        each(x).square().sum().backward()
    for left, right in zip(new.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(left.grad, right.grad)


SPECTRAL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 5))

    def forward(self, x):
        return self.layer(x).relu()
"""


def test_what_ran_without_gradients_and_wrote_takes_no_part_in_them(workshop: Any) -> None:
    module, text = workshop.original(SPECTRAL, training=True)
    x = torch.randn(3, 6)
    new, _ = workshop.generate(module, Inputs((x,)), text)
    found = []
    for each in (module, new):
        for _ in range(2):
            each(x).sum().backward()
        found.append([weight.grad for weight in each.parameters()] + list(each.buffers()))
    for expected, mine in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)


def test_an_output_stays_apart_from_inputs_and_in_its_layout(workshop: Any) -> None:
    source = """
class Model(nn.Module):
    def forward(self, x):
        return x * 1, (x + 1).transpose(1, 2).contiguous()
"""
    module, text = workshop.original(source)
    inputs = Inputs((torch.randn(2, 3, 4),))

    def drop_identities(captured: Captured) -> None:
        for node in nodes(captured.graph, aten.mul, aten.contiguous):
            replace(node, node.args[0])  # type: ignore[arg-type]
        tidy(captured.graph)

    new, _ = workshop.generate(module, inputs, text, rewrite=drop_identities)
    same, transposed = workshop.assert_same(new, module, inputs)
    assert same.data_ptr() != inputs.args[0].data_ptr()
    assert transposed.is_contiguous()


def test_a_module_without_a_file_is_written_out(workshop: Any) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(11, 8)
            self.blocks = nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.GELU()), nn.LayerNorm(8))
            self.positions: torch.Tensor
            self.register_buffer("positions", torch.arange(4), persistent=False)
            self.register_buffer("scale", torch.full((1,), 2.0))
            self.gain = nn.Parameter(torch.randn(8))
            self.head = nn.Linear(8, 11, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
            h = self.blocks(self.embed(ids + 0 * self.positions)) * self.gain * self.scale
            logits: torch.Tensor = self.head(h if mask is None else h * mask)
            return logits

    module = Tied().eval()
    inputs = Inputs((), {"ids": torch.randint(0, 11, (3, 4)), "mask": torch.rand(4, 1)})
    new, written = workshop.generate(module, inputs)
    workshop.assert_same(new, module, inputs)
    assert "self.blocks[0].append(nn.Linear(in_features=8, out_features=8, bias=True))" in written
    assert new.head.weight is new.embed.weight
    single = Inputs((), {"ids": torch.randint(0, 11, (1, 4)), "mask": torch.rand(4, 1)})
    workshop.assert_same(new, module, single)
    with pytest.raises(ValueError, match="this forward was made for ids of shape"):
        new(ids=torch.zeros(3, 7, dtype=torch.int64), mask=torch.rand(7, 1))


def test_numbers_and_containers_are_those_that_it_was_captured_with(workshop: Any) -> None:
    source = """
class Model(nn.Module):
    def forward(self, tensors, number, batch=False):
        first, second = tensors
        scaled = (first + second["a"]) * number
        return scaled * float(first.shape[0]) if batch else scaled[: first.shape[0] // 2]
"""
    module, text = workshop.original(source)
    x, y = torch.randn(7, 3), torch.randn(9, 3)
    for batch in (False, True):
        inputs = Inputs(([x, {"a": x}], 3.5, batch))
        new, _ = workshop.generate(module, inputs, text)
        workshop.assert_same(new, module, inputs)
        for other in (([y, {"a": y}], 3.5, batch), ([x, {"a": x}], 2, batch), ([x, {"a": x}], 3.5, not batch)):
            workshop.assert_same(new, module, Inputs(other))


def test_a_forward_may_call_its_module_by_another_name(workshop: Any) -> None:
    source = """
class Model(nn.Module):
    def __init__(this):
        super().__init__()
        this.fc = nn.Linear(4, 3)

    def forward(this, x):
        return this.fc(x)
"""
    module, text = workshop.original(source)
    inputs = Inputs(args=(torch.randn(2, 4),), kwargs={})
    new, written = workshop.generate(module, inputs, text)
    assert "def forward(self, x):" in written
    workshop.assert_same(new, module, inputs)


def test_names_of_the_original_keep_their_meaning(workshop: Any) -> None:
    source = """
F = 3
Prepared = "mine"


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(F, 2)
        self._kept = Prepared

    def forward(self, x):
        return (self.fc(x) * F).relu() * self.fc.bias.exp()
"""
    module, text = workshop.original(source)
    new, written = workshop.generate(module, Inputs((torch.randn(4, 3),)), text)
    workshop.assert_same(new, module, Inputs((torch.randn(4, 3),)))
    workshop.assert_same(new.double(), module.double(), Inputs((torch.randn(4, 3, dtype=torch.float64),)))
    assert "nn_functional.relu" in written
    assert new._kept == "mine"


def test_a_tensor_given_twice_must_be_given_twice_again(workshop: Any) -> None:
    source = """
class Model(nn.Module):
    def forward(self, x, y):
        return x * 2 if x is y else x + y
"""
    module, text = workshop.original(source)
    x, y = torch.randn(3), torch.randn(3)
    new, _ = workshop.generate(module, Inputs((x, x)), text)
    workshop.assert_same(new, module, Inputs((y, y)))
    workshop.assert_same(new, module, Inputs((x, y)))


@pytest.mark.slow
@pytest.mark.parametrize("execution", [each for each in Execution if each.compiles and "autotune" not in each])
def test_compiled_executions_follow_weights_and_batch_sizes(workshop: Any, execution: Execution) -> None:
    module, text = workshop.original(LINEAR)
    inputs = Inputs((torch.randn(5, 6),))
    new, _ = workshop.generate(module, inputs, text, execution=execution, rewrite=_sum_first)
    workshop.assert_same(new, module, inputs, exact=False)
    workshop.assert_same(new, module, Inputs((torch.randn(7, 6),)), exact=False)
    for changed in (new, module):
        with torch.no_grad():
            changed.fc.weight.mul_(2)
    workshop.assert_same(new, module, inputs, exact=False)
    with torch.enable_grad():
        for each in (new, module):
            each(*inputs.args).square().sum().backward()
    for left, right in zip(new.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(left.grad, right.grad)


@pytest.mark.slow
def test_a_compiled_baseline_computes_what_the_original_computes(workshop: Any, tmp_path: Path) -> None:
    module, text = workshop.original(RESIDUAL, 8)
    file = tmp_path / "baseline.py"
    file.write_text(emit_baseline(Origin("test", module, text), execution=Execution.COMPILED))
    new: Any = attribute_of(load_script(file), "ModelNew", str(file))
    built = new(8)
    built.load_state_dict(module.state_dict())
    inputs = Inputs((torch.randn(4, 3, 9, 9),))
    workshop.assert_same(built.eval(), module, inputs, exact=False)


@pytest.mark.slow
def test_weights_may_be_frozen_in_train_mode(workshop: Any) -> None:
    module, text = workshop.original(LINEAR, training=True)
    inputs = Inputs((torch.randn(5, 6),))
    new, _ = workshop.generate(module, inputs, text, execution=Execution.FROZEN)
    workshop.assert_same(new, module, inputs, exact=False)
    with torch.no_grad():
        for each in (module, new):
            each.fc.weight.mul_(2)
    workshop.assert_same(new, module, inputs, exact=False)
    new(*inputs.args).sum().backward()
    module(*inputs.args).sum().backward()
    torch.testing.assert_close(new.fc.weight.grad, module.fc.weight.grad)


CLAMPED = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return torch.relu(self.conv(x))
"""


@pytest.mark.slow
@pytest.mark.parametrize("written_out", [False, True])
def test_frozen_weights_keep_nan(workshop: Any, written_out: bool) -> None:
    module, text = workshop.original(CLAMPED)
    inputs = Inputs((torch.randn(2, 3, 8, 8),))
    new, _ = workshop.generate(module, inputs, None if written_out else text, execution=Execution.FROZEN)
    workshop.assert_same(new, module, inputs, exact=False)
    inputs.args[0][1, 2, 4, 4] = float("nan")
    assert workshop.assert_same(new, module, inputs, exact=False).isnan().any()


def test_weights_are_not_frozen_where_a_call_writes_to_buffers(workshop: Any) -> None:
    module, text = workshop.original(RESIDUAL, 8, training=True)
    captured = capture(module, Inputs((torch.randn(4, 3, 9, 9),)))
    with pytest.raises(EmissionError, match="cannot be frozen where a call writes to buffers"):
        emit(captured, Origin("test", module, text), execution=Execution.FROZEN)


def test_a_baseline_is_the_original_run_in_one_of_the_usual_ways(workshop: Any) -> None:
    module, text = workshop.original(LINEAR)
    origin = Origin("test", module, text)
    assert "torch.compile" not in emit_baseline(origin)
    written = emit_baseline(origin, execution=Execution.MAX_AUTOTUNE, random=True)
    options = '{"max_autotune": True, "coordinate_descent_tuning": True, "fallback_random": True}'
    assert f"@torch.compile(options={options})" in written
    with pytest.raises(EmissionError, match="does not stand alone"):
        emit_baseline(Origin("test", module))


def test_a_parameter_that_only_a_rewrite_reads_can_be_added(workshop: Any) -> None:
    module, _ = workshop.original(LINEAR)
    captured = capture(module, Inputs((torch.randn(5, 6),)))
    assert attribute(captured.graph, "fc.bias").meta["val"].shape == (8,)
