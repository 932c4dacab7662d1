"""Generated modules whose parts are put into another mode than they were captured in."""

from typing import Any

import pytest
import torch

from netwright.cases import Inputs

MODAL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm, self.drop = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.fc(x))).sum(1)
"""


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_parts_in_another_mode_run_the_original(workshop: Any, training: bool, frozen: bool) -> None:
    module, text = workshop.original(MODAL, training=training)
    if frozen:
        module.norm.train(not training)
    inputs = Inputs((torch.randn(5, 6),))
    new, _ = workshop.generate(module, inputs, text)
    new.norm.train(module.norm.training)
    workshop.assert_same(new, module, inputs)
    for name in ("norm", "drop"):
        for _ in range(2):
            for changed in (new, module):
                part = getattr(changed, name)
                part.train(not part.training)
            workshop.assert_same(new, module, inputs)
