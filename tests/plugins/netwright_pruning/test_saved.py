"""Saved models: reloaded in another process with bit-equal outputs, and refused when they are damaged."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from netwright.cases import CaseOptions
from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright.errors import NetwrightError, UserError
from netwright_pruning import Budget, load_method, load_pruned, prune_to_budget, save_pruned
from netwright_pruning.saved import read_architecture
from netwright_pruning.variant import load

AWKWARD = '''
"""A model with everything that is hard to reload."""

import torch
from torch import nn

WIDTH = 32


class Awkward(nn.Module):
    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.norm = nn.LayerNorm(width)
        self.offset = nn.Parameter(torch.rand(width))
        self.conv = nn.Conv1d(1, 16, 3, padding=1, groups=1)
        self.grouped = nn.Conv1d(16, 16, 3, padding=1, groups=4)
        self.batch = nn.BatchNorm1d(16)
        self.mix = nn.Linear(width, 24)
        self.tied = nn.Linear(width, 24)
        self.tied.weight = self.mix.weight
        self.head = nn.Linear(24, 3)
        self.register_buffer("scale", torch.rand(3), persistent=False)
        self.register_buffer("mixed", torch.rand(24), persistent=False)
        self.shift = torch.tensor([float(torch.ones(2).sum()), 1.0, 0.5])

    def forward(self, x):
        x = self.norm(self.embed(x)) + self.offset
        y = self.batch(self.grouped(self.conv(x[:, None]))).mean(1)
        return self.head(torch.relu(self.mix(y) + self.tied(y)) * self.mixed) * self.scale + self.shift


def get_inputs():
    return [torch.rand(4, 8)]
'''

OUTPUTS = """
import sys
from functools import cache
from pathlib import Path
import torch
from netwright_pruning import load_pruned

folder = Path(sys.argv[1])
torch.save(load_pruned(folder / "model")(torch.load(folder / "input.pt")), folder / "output.pt")
"""


def outputs_elsewhere(folder: Path, inputs: torch.Tensor) -> torch.Tensor:
    """What the model saved in `folder/model` answers in a process of its own."""
    torch.save(inputs, folder / "input.pt")
    subprocess.run([sys.executable, "-c", OUTPUTS, str(folder)], check=True)
    loaded: torch.Tensor = torch.load(folder / "output.pt")
    return loaded


@cache
def pruned_digits() -> tuple[nn.Module, torch.Tensor]:
    """A pruned model, which nobody may change, and an input."""
    case = load_case("digits_cnn")
    model, inputs = prepare_module(case, seed=0), draw_inputs(case, seed=0)
    pruned = prune_to_budget(model, inputs, Budget("macs", 0.3), load_method("random"), seed=0).model
    return pruned, inputs.args[0]


@pytest.fixture
def saved(project: Path) -> Path:
    save_pruned(pruned_digits()[0], project / "model", case="digits_cnn")
    return project / "model"


def test_another_process_gives_the_same_bits(project: Path) -> None:
    model, inputs = pruned_digits()
    save_pruned(model, project / "model", case="digits_cnn", budget={"metric": "macs"}, scores={"accuracy": 0.5})
    assert torch.equal(outputs_elsewhere(project, inputs), model(inputs))
    architecture = read_architecture(project / "model")
    assert architecture.case == "digits_cnn"
    assert architecture.budget == {"metric": "macs"}
    assert architecture.scores == {"accuracy": 0.5}
    assert architecture.modules["stem.0"].attributes["out_channels"] == model.get_submodule("stem.0").out_channels


def test_awkward_models_reload_as_well(project: Path) -> None:
    (project / "awkward.py").write_text(AWKWARD)
    name, options = "script:awkward.py:Awkward", CaseOptions(constants={"WIDTH": 48}, dtype="float64")
    case = load_case(name, options)
    model, inputs = prepare_module(case, seed=0).eval(), draw_inputs(case, seed=0)
    pruning = prune_to_budget(model, inputs, Budget("parameters", 0.6), load_method("magnitude_l1"), seed=0, round_to=4)
    assert pruning.widths
    # Non-persistent values are the case's own business: here they come from the seed that the case was built with.
    pruning.model.get_buffer("scale").fill_(1.0)
    save_pruned(pruning.model, project / "model", case=name, options=options)
    loaded = load_pruned(project / "model")
    loaded.get_buffer("scale").fill_(1.0)
    assert torch.equal(loaded(*inputs.args), pruning.model(*inputs.args))
    assert loaded.get_submodule("norm").normalized_shape == pruning.model.get_submodule("norm").normalized_shape
    assert not any(tensor.is_meta for tensor in loaded.state_dict().values())


def test_a_reloaded_model_learns_and_is_in_eval_mode(saved: Path) -> None:
    model = load_pruned(saved)
    assert not any(module.training for module in model.modules())
    model(torch.rand(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_folder_holds_json_and_safetensors_only(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["architecture.json", "model.safetensors"]
    json.loads((saved / "architecture.json").read_text())


def test_as_a_variant_it_takes_the_mode_of_the_cases_module(saved: Path) -> None:
    module = prepare_module(load_case("digits_cnn"), seed=0)
    assert load(module.train(), folder=str(saved)).training
    variant = load(module.eval(), folder=str(saved))
    assert not variant.training
    assert variant(torch.rand(2, 1, 8, 8)).shape == (2, 10)


def test_a_model_of_another_case_is_not_saved(project: Path, fake_case: str) -> None:
    with pytest.raises(NetwrightError, match="not a pruned one of its case"):
        save_pruned(pruned_digits()[0], project / "model", case=fake_case)
    assert not (project / "model").exists()


def test_a_folder_that_cannot_be_written_is_said(project: Path) -> None:
    (project / "model").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        save_pruned(pruned_digits()[0], project / "model", case="digits_cnn")


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no pruned model in .*architecture\.json: no such file"):
        load_pruned(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "other"}', "\x00\x01"])
def test_a_foreign_or_torn_architecture_is_refused(saved: Path, content: str) -> None:
    (saved / "architecture.json").write_text(content)
    with pytest.raises(UserError, match="damaged or not one of netwright's"):
        load_pruned(saved)


def test_missing_weights_are_said(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"cannot read .*model\.safetensors"):
        load_pruned(saved)


def test_a_flipped_byte_is_found(saved: Path) -> None:
    content = bytearray((saved / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (saved / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="damaged; its checksum"):
        load_pruned(saved)


def rewrite(folder: Path, change: str, value: object) -> None:
    architecture = json.loads((folder / "architecture.json").read_text())
    architecture[change] = value
    (folder / "architecture.json").write_text(json.dumps(architecture))


def test_widths_that_do_not_fit_the_weights_are_refused(saved: Path) -> None:
    rewrite(saved, "modules", {})
    with pytest.raises(UserError, match=r"does not fit case 'digits_cnn'.*has shape"):
        load_pruned(saved)


def test_modules_that_the_case_lacks_are_refused(saved: Path) -> None:
    rewrite(saved, "modules", {"nowhere.conv": {"kind": "Conv2d", "attributes": {"out_channels": 3}}})
    with pytest.raises(UserError, match="no module 'nowhere"):
        load_pruned(saved)


def test_another_case_is_refused(saved: Path, fake_case: str) -> None:
    rewrite(saved, "case", fake_case)
    with pytest.raises(UserError, match=r"does not fit case 'script:fake_model\.py:Fake'"):
        load_pruned(saved)


def test_an_unknown_case_is_said(saved: Path) -> None:
    rewrite(saved, "case", "digits_cnm")
    with pytest.raises(UserError, match="did you mean 'digits_cnn'"):
        load_pruned(saved)
