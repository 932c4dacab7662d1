"""One step of a plain recurrent network, which keeps its hidden state to itself."""

import torch
from torch import nn

BATCH = 64
INPUTS = 256
HIDDEN = 512


class Model(nn.Module):
    """h = tanh(U x + V h), y = W h; h stays in the module."""

    def __init__(self, batch, inputs, hidden):
        super().__init__()
        self.state = torch.randn(batch, hidden)
        self.step = nn.Linear(inputs + hidden, hidden)
        self.read = nn.Linear(hidden, 32)

    def forward(self, x):
        self.state = torch.tanh(self.step(torch.cat([x, self.state.to(x.device)], dim=1)))
        return self.read(self.state)


def get_inputs():
    return [torch.randn(BATCH, INPUTS)]


def get_init_inputs():
    return [BATCH, INPUTS, HIDDEN]
