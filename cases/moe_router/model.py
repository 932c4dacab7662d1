"""The router of a mixture of experts: which experts each token goes to, and with what weight."""

import torch
from torch import Tensor, nn


class Router(nn.Module):
    """Sigmoid scores with a bias for balance, the best experts, and weights that sum to a constant."""

    def __init__(self, hidden: int, experts: int, chosen: int, scale: float = 2.5) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden, experts, bias=False)
        self.balance = nn.Parameter(torch.randn(experts) * 0.01)
        self.chosen = chosen
        self.scale = scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (tokens, hidden) to the weights and the numbers of the chosen experts, each (tokens, chosen)."""
        scores = torch.sigmoid(self.gate(x))
        _, experts = torch.topk(scores + self.balance, self.chosen, dim=-1)
        weights = scores.gather(-1, experts)
        return weights / (weights.sum(dim=-1, keepdim=True) + 1e-20) * self.scale, experts
