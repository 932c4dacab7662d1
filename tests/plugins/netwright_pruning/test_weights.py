"""Weights from files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from netwright.errors import UserError
from netwright_pruning.weights import load_weights, read_state_dict


def network(classes: int = 5) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, classes))


@pytest.mark.parametrize("kind", ["plain", "wrapped", "parallel", "safetensors"])
def test_the_usual_files_are_read(kind: str, tmp_path: Path) -> None:
    model = network()
    state = model.state_dict()
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pt")
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "wrapped":
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        torch.save({f"module.{name}": value for name, value in state.items()} if kind == "parallel" else state, path)
    other = network()
    assert load_weights(other, path) == []
    inputs = torch.rand(3, 4)
    assert torch.equal(other(inputs), model(inputs))


def test_a_classifier_for_other_classes_is_left_out(tmp_path: Path) -> None:
    torch.save(network(classes=7).state_dict(), tmp_path / "weights.pt")
    assert load_weights(network(), tmp_path / "weights.pt") == ["2.weight", "2.bias"]


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5)).state_dict(), tmp_path / "wider.pt")
    with pytest.raises(UserError, match=r"another model; '0\.weight' is \(8, 4\) in the file, \(6, 4\)"):
        load_weights(network(), tmp_path / "wider.pt")
    torch.save(nn.Linear(4, 6).state_dict(), tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"another model; only the model has '0\.bias'"):
        load_weights(network(), tmp_path / "other.pt")


def test_a_file_of_objects_runs_no_code(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "model.pt")
    with pytest.raises(UserError, match=r"no file of weights.*state_dict"):
        read_state_dict(tmp_path / "model.pt")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="no file of weights"):
        read_state_dict(tmp_path / "empty.safetensors")
    with pytest.raises(UserError, match=r"cannot read .*absent\.pt; no such file"):
        read_state_dict(tmp_path / "absent.pt")
