"""The keepsake of a pruning, and of one that went on from another."""

from pathlib import Path

import pytest
from torch import nn

from netwright.cases import Inputs
from netwright.errors import UserError
from netwright_pruning import Budget, prune_to_budget
from netwright_pruning.baselines import MagnitudeL2
from netwright_pruning.keepsake import Keepsake, read_keepsake, write_keepsake


def test_a_second_round_is_told_in_channels_of_the_unpruned_model(residual: nn.Module, images: Inputs) -> None:
    first = prune_to_budget(residual, images, Budget("macs", 0.6), MagnitudeL2(), seed=0)
    target = 0.3 * first.before.macs
    second = prune_to_budget(first.model, images, Budget("macs", target), MagnitudeL2(), seed=0)
    whole = Keepsake.of(second, Keepsake.of(first))
    assert whole.before == {"parameters": first.before.parameters, "macs": first.before.macs}
    assert whole.after["macs"] == pytest.approx(0.3 * first.before.macs, rel=0.01)
    assert whole.budget.unpruned == first.before.macs
    stem = residual.get_parameter("stem.weight")
    kept = second.model.get_parameter("stem.weight")
    assert (stem[whole.kept["stem"]] == kept).all()
    for name, (before, after) in whole.widths.items():
        assert before == len(residual.get_parameter(f"{name}.weight"))
        assert after == len(second.model.get_parameter(f"{name}.weight"))


def test_it_reads_back_what_it_wrote(residual: nn.Module, images: Inputs, tmp_path: Path) -> None:
    keepsake = Keepsake.of(prune_to_budget(residual, images, Budget("macs", 0.6), MagnitudeL2(), seed=0))
    write_keepsake(keepsake, tmp_path)
    assert read_keepsake(tmp_path) == keepsake
    with pytest.raises(UserError, match=r"pruning\.json cannot be read"):
        read_keepsake(tmp_path / "elsewhere")
