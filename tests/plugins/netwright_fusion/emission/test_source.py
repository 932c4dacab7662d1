"""The original's source in a generated file."""

from netwright_fusion.emission.source import fitting_source, imported, names_of

SOURCE = """\
import os
import torch.nn.functional as F
from torch import nn, relu as activation

SIZE = int(os.environ.get("SIZE", "3"))
SCALE = 2.0


def helper(x):
    return F.gelu(x) * SCALE


class Layer(nn.Module):
    def forward(self, x):
        return helper(x)


class Model(Layer):
    def forward(self, x):
        return activation(super().forward(x))


def get_inputs():
    return [SIZE]
"""


def test_what_a_candidate_may_not_contain_is_left_out_with_all_that_the_class_does_not_need() -> None:
    fitting = fitting_source(SOURCE, "Model")
    assert "import os" not in fitting
    assert "get_inputs" not in fitting
    assert names_of(fitting) == {"F", "nn", "activation", "SCALE", "helper", "Layer", "Model"}


def test_a_harmless_source_stays_whole() -> None:
    harmless = SOURCE.replace("import os\n", "").replace('int(os.environ.get("SIZE", "3"))', "3")
    assert fitting_source(harmless, "Model") == harmless


def test_names_are_told_by_what_they_stand_for() -> None:
    assert imported(SOURCE) == {
        "os": "os",
        "F": "torch.nn.functional",
        "nn": "torch.nn",
        "activation": "torch.relu",
    }
