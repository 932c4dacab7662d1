"""Whole numbers among fake tensors: what follows from them is known, what depends on weights is not."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor

from netwright_predictor.tracing.fake import faked


def model() -> nn.Module:
    with torch.device("meta"):
        return nn.Linear(4, 4)


def test_masks_and_lengths_may_be_asked() -> None:
    with faked(model()):
        tokens = torch.zeros(2, 7, dtype=torch.long)
        mask = torch.ones(2, 7)
        assert not tokens.eq(1).any()
        assert mask.sum(-1).max().item() == 7
        assert torch.arange(5).tolist() == [0, 1, 2, 3, 4]
        assert isinstance(tokens, FakeTensor)


def test_places_and_selections_have_the_shapes_that_they_would_have() -> None:
    with faked(model()) as _:
        layer = nn.Linear(4, 4)
        positions = torch.arange(6)
        hidden = layer(torch.zeros(6, 4))
        assert (positions > 3).nonzero().shape == (2, 1)
        assert hidden[positions > 3].shape == (2, 4)


def test_writing_to_a_tensor_changes_what_is_known_of_its_views() -> None:
    with faked(model()):
        table = torch.zeros(4, dtype=torch.long)
        half = table[2:]
        table += 3
        assert half.tolist() == [3, 3]


def test_what_weights_decide_stays_unknown_also_through_writing() -> None:
    layer = model()
    with faked(layer):
        scores = layer(torch.zeros(6, 4))
        with pytest.raises(DataDependentOutputException):
            scores.argmax().item()
        counts = torch.zeros(4, dtype=torch.long)
        view = counts[:2]
        counts.scatter_add_(0, scores.argmax(-1) % 4, torch.ones(6, dtype=torch.long))
        with pytest.raises(DataDependentOutputException):
            view.sum().item()


def test_a_list_of_known_numbers_becomes_a_tensor_of_them() -> None:
    """As positions after an image are, which are counted sequence by sequence."""
    with faked(model()):
        ends = [torch.arange(length).max() + 1 for length in (3, 5)]
        assert torch.tensor(ends).tolist() == [3, 5]
        assert torch.tensor([[1, 2], [3, 4]]).shape == (2, 2)


def test_a_list_of_what_weights_decide_stays_unknown() -> None:
    layer = model()
    with faked(layer), pytest.raises(DataDependentOutputException):
        torch.tensor([layer(torch.zeros(4)).argmax()])


def test_a_list_in_the_code_is_known() -> None:
    """As grids of patches are: how often a number repeats tells the shape."""
    with faked(model()):
        grid = torch.tensor([[1, 3, 4], [1, 2, 2]])
        assert torch.repeat_interleave(grid[:, 1] * grid[:, 2], grid[:, 0]).shape == (2,)
        assert torch.arange(2).repeat_interleave(grid.prod(-1)).shape == (16,)
        assert int(grid[:, 1].max()) == 3
