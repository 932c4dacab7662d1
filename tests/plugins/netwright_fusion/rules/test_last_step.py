"""Ends of sequences that were read both ways."""

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES

STEPS, SAMPLES, WIDTH = 6, 3, 4


class Reader(nn.Module):
    """A classifier of sequences by one step of a recurrent layer's output."""

    def __init__(self, kind, step, **settings) -> None:
        super().__init__()
        self.recurrent = kind(5, WIDTH, bidirectional=True, **settings)
        self.step, self.batch_first = step, settings.get("batch_first", False)
        self.head = nn.Linear(2 * WIDTH, 3)

    def forward(self, x):
        out, _ = self.recurrent(x)
        return self.head(out[:, self.step] if self.batch_first else out[self.step])


def rewritten(model):
    torch.manual_seed(0)
    sizes = (SAMPLES, STEPS, 5) if model.batch_first else (STEPS, SAMPLES, 5)
    inputs = Inputs(args=(torch.randn(sizes).double(),), kwargs={})
    captured = capture(model.double(), inputs).copy()
    applied = apply_rules(captured.graph, RULES, training=model.training)
    for special in (None, float("nan")):
        x = inputs.args[0].clone()
        if special is not None:
            x.view(-1)[x.numel() // 2] = special
        torch.testing.assert_close(
            captured.call(Inputs(args=(x,), kwargs={})), model(x), rtol=1e-10, atol=1e-10, equal_nan=True
        )
    return [each for each in applied if each.rule.name == "last step both ways"]


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("step", [0, -1])
@pytest.mark.parametrize("batch_first", [True, False])
def test_ends(kind, gates, layers, step, batch_first):
    (found,) = rewritten(Reader(kind, step, num_layers=layers, batch_first=batch_first))
    inputs = 5 if layers == 1 else 2 * WIDTH
    assert found.flops_removed == 2 * SAMPLES * (STEPS - 1) * gates * WIDTH * (inputs + WIDTH)


def test_without_biases():
    assert rewritten(Reader(nn.GRU, -1, bias=False))


def test_dropout_in_eval_mode():
    assert rewritten(Reader(nn.LSTM, -1, num_layers=2, dropout=0.5).eval())


def test_leaves_other_steps_alone():
    assert not rewritten(Reader(nn.LSTM, 2))


def test_leaves_projections_alone():
    model = Reader(nn.LSTM, -1, proj_size=2)
    model.head = nn.Linear(4, 3)
    assert not rewritten(model)
