"""Tests of poisoned memory."""

import torch

from netwright.harness.poison import poisoned


def test_memory_that_nobody_wrote_reads_as_nan_inside_the_block_only() -> None:
    with poisoned(torch.device("cpu")) as is_poisoned:
        assert is_poisoned
        small, large = torch.empty(7), torch.empty(3_000_000)
    assert small.isnan().all()
    assert large.isnan().all()
    torch.empty(1000).fill_(1.0)
    assert not torch.empty(1000).isnan().all()


def test_what_is_written_is_not_poisoned() -> None:
    with poisoned(torch.device("cpu")):
        assert torch.ones(3).add(1).tolist() == [2.0, 2.0, 2.0]
