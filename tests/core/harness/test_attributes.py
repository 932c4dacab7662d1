"""Tensors in plain attributes: what a call leaves there is seen, judged and undone."""

import torch
from torch import Tensor, nn

from netwright.harness.attributes import Attributes, plain_tensors


class Recurrent(nn.Module):
    """A step of a recurrent network that keeps its state to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4)
        self.state = torch.zeros(2, 4)
        self.register_buffer("scale", torch.ones(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.state = torch.tanh(self.step(x) + self.state)
        return self.state


def test_what_a_call_puts_in_its_place_is_seen_and_undone() -> None:
    module = nn.Sequential(Recurrent())
    attributes = Attributes(module, [*dict(plain_tensors(module)), "0.absent"])
    before = module[0].state
    first = module(torch.ones(2, 4))
    assert attributes.changed() == ["0.state"]
    assert attributes.now()["0.state"] is first
    attributes.restore()
    assert module[0].state is before
    assert attributes.changed() == []
    assert torch.equal(module(torch.ones(2, 4)), first)


def test_what_is_written_in_place_is_undone_and_what_is_deleted_is_missed() -> None:
    module = Recurrent()
    attributes = Attributes(module, ["state"])
    module.state.add_(1)
    assert attributes.changed() == ["state"]
    attributes.restore()
    assert not module.state.any()
    module.state = None  # type: ignore[assignment]
    assert attributes.changed() == ["state"]
    assert attributes.now() == {}
