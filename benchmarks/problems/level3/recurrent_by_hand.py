"""A recurrent network written as a loop over time, whose cell takes the input beside the state."""

import torch
from torch import nn

BATCH_SIZE = 8
STEPS = 24
FEATURES = 256
HIDDEN = 256


class Model(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.hidden = hidden
        self.cell = nn.Linear(features + hidden, hidden)
        self.out = nn.Linear(hidden, features)

    def forward(self, x):
        state = x.new_zeros(x.shape[0], self.hidden)
        outputs = []
        for step in range(x.shape[1]):
            state = torch.tanh(self.cell(torch.cat([x[:, step], state], dim=-1)))
            outputs.append(self.out(state))
        return torch.stack(outputs, dim=1)


def get_inputs():
    return [torch.randn(BATCH_SIZE, STEPS, FEATURES)]


def get_init_inputs():
    return [FEATURES, HIDDEN]
