"""A training that runs out of memory goes through its batches in smaller parts, and says so."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from netwright.context import RunContext
from netwright.errors import NetwrightError
from netwright.runfolder import read_json_lines
from netwright_training import Splits, train
from netwright_training.memory import is_out_of_memory

MakeModel = Callable[[], nn.Module]
RECIPE = {"epochs": 2, "batch_size": 32, "device": "cpu"}


class Tight(nn.Module):
    """Has memory for so many samples at a time."""

    def __init__(self, room: int, error: Exception) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.room, self.error = room, error

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) > self.room:
            raise self.error
        outputs: Tensor = self.layers(x)
        return outputs


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_the_batch_is_halved_until_it_fits(digits: Splits, run_context: RunContext, error: Exception) -> None:
    tight, roomy = Tight(10, error), Tight(1000, error)
    found = train(tight, digits, RECIPE, seed=0)
    expected = train(roomy, digits, RECIPE, seed=0)
    assert [record.skipped_steps for record in found.history] == [0, 0]
    for ours, theirs in zip(tight.parameters(), roomy.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)
    assert found.history[-1].train_loss == pytest.approx(expected.history[-1].train_loss, rel=1e-4)
    assert run_context.folder is not None
    said = [line["message"] for line in read_json_lines(run_context.folder.events_file) if line["event"] == "warning"]
    assert said == [f"cpu ran out of memory: the batch is halved, to {size} samples at a time" for size in (16, 8)]


def test_where_nothing_fits_one_line_says_so(digits: Splits) -> None:
    with pytest.raises(NetwrightError, match=r"too little memory for this training.*train\.batch_size"):
        train(Tight(1, torch.OutOfMemoryError("CUDA out of memory.")), digits, RECIPE, seed=0)


def test_other_errors_are_not_mistaken_for_it() -> None:
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("out of memory"))
    assert is_out_of_memory(MemoryError())
