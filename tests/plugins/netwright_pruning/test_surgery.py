"""Surgery: channels go together, and a step that breaks the forward is undone."""

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning.surgery import Surgeon


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_channels_go_from_every_layer_that_shares_them(residual: nn.Module, images: Inputs) -> None:
    surgeon = Surgeon(residual, images)
    assert surgeon.remove_each({"stem": list(range(8)), "inner1": [0, 2]}) == []
    assert residual.get_parameter("stem.weight").shape == (24, 3, 3, 3)
    assert residual.get_submodule("depthwise").groups == 24
    assert residual.get_parameter("outer2.weight").shape == (24, 48, 3, 3)
    assert residual.get_parameter("outer1.weight").shape == (24, 46, 3, 3)
    assert residual(*images.args).shape == (4, 10)


def test_what_stays_is_what_was(residual: nn.Module, images: Inputs) -> None:
    """A channel whose weights are zero can go without any effect, as long as the right one goes everywhere."""
    with torch.no_grad():
        for name in ("outer1", "outer2", "stem"):
            residual.get_parameter(f"{name}.weight")[5] = 0
        for name in ("outer1", "outer2", "depthwise", "stem_norm", "norm"):
            residual.get_parameter(f"{name}.bias")[5] = 0
    before = residual(*images.args)
    Surgeon(residual, images).remove_each({"stem": [5]})
    torch.testing.assert_close(residual(*images.args), before)


def test_a_step_that_breaks_the_forward_is_undone_and_names_the_module(stubborn: nn.Module, rows: Inputs) -> None:
    before = state(stubborn)
    output = stubborn(*rows.args)
    faults = Surgeon(stubborn, rows).remove_each({"rigid.project": [0, 1, 2]})
    assert [(fault.group, fault.module) for fault in faults] == [("rigid.project", "rigid")]
    assert "shape" in faults[0].reason
    assert state(stubborn).keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(stubborn).items())
    assert stubborn.get_submodule("after").in_features == 32
    assert torch.equal(stubborn(*rows.args), output)


def test_the_steps_after_an_undone_one_go_on(stubborn: nn.Module, rows: Inputs) -> None:
    faults = Surgeon(stubborn, rows).remove_each({"before": [0], "rigid.project": [1], "after": [2, 3]})
    assert [fault.group for fault in faults] == ["rigid.project"]
    assert stubborn.get_submodule("before").out_features == 31
    assert stubborn.get_submodule("after").out_features == 22
    assert stubborn(*rows.args).shape == (6, 5)


def test_parameters_outside_of_layers_are_restored_too(rows: Inputs) -> None:
    class Offset(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(16, 32)
            self.offset = nn.Parameter(torch.rand(32))
            self.second = nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x) + self.offset
            outputs: Tensor = self.second(x.reshape(len(x), -1, 4).flatten(1))
            return outputs

    model = Offset()
    offset = model.offset
    surgeon = Surgeon(model, rows)
    assert len(surgeon.remove_each({"first": list(range(32))})) == 1
    assert model.offset is offset
    assert surgeon.remove_each({"first": [0, 1, 2, 3]}) == []
    assert model.offset.shape == (28,)
    assert model.second.in_features == 28


def test_channels_that_the_code_takes_in_rows_go_in_rows(rows: Inputs) -> None:
    model = nn.Sequential(nn.Linear(16, 32), nn.Unflatten(1, (-1, 4)), nn.Flatten(), nn.Linear(32, 4))
    assert Surgeon(model, rows).remove_each({"0": [0]}) == []
    assert model.get_parameter("0.weight").shape == (28, 16)


def test_a_group_never_loses_its_last_channel(residual: nn.Module, images: Inputs) -> None:
    faults = Surgeon(residual, images).remove_each({"inner1": list(range(48))})
    assert "all 48 channels" in faults[0].reason
    assert residual.get_submodule("inner1").out_channels == 48


def test_outputs_keep_their_shapes(residual: nn.Module, images: Inputs) -> None:
    faults = Surgeon(residual, images).remove_each({"head": [0, 1]})
    assert faults[0].reason == "channels cannot go: the model's output has them"
    assert residual.get_submodule("head").out_features == 10


def test_all_at_once_says_only_whether_it_works(stubborn: nn.Module, rows: Inputs) -> None:
    assert Surgeon(stubborn, rows).remove_all({"before": [0], "after": [0]})
    assert not Surgeon(stubborn, rows).remove_all({"rigid.project": [0]})
