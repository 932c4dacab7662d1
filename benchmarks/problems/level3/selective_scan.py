"""A diagonal state-space layer with input-dependent steps, scanned by a loop."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 4
LENGTH = 32
WIDTH = 64
STATE = 8


class Model(nn.Module):
    def __init__(self, width, state):
        super().__init__()
        self.step = nn.Linear(width, width)
        self.read = nn.Linear(width, state)
        self.write = nn.Linear(width, state)
        self.decay = nn.Parameter(torch.randn(width, state))
        self.skip = nn.Parameter(torch.ones(width))

    def forward(self, x):
        step = F.softplus(self.step(x))
        write, read = self.write(x), self.read(x)
        kept = torch.exp(step.unsqueeze(-1) * -torch.exp(self.decay))
        added = step.unsqueeze(-1) * write.unsqueeze(2) * x.unsqueeze(-1)
        state = torch.zeros_like(added[:, 0])
        outputs = []
        for time in range(x.shape[1]):
            state = kept[:, time] * state + added[:, time]
            outputs.append((state * read[:, time].unsqueeze(1)).sum(dim=-1))
        return torch.stack(outputs, dim=1) + x * self.skip


def get_inputs():
    return [torch.randn(BATCH, LENGTH, WIDTH)]


def get_init_inputs():
    return [WIDTH, STATE]
