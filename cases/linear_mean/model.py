"""A head that averages what a linear layer makes of every feature, and gates its input with it."""

from torch import Tensor, nn
from torch.nn import functional as F


class MeanGate(nn.Module):
    """x * gelu(mean over the outputs of a linear layer)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.project = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_features) to the same shape."""
        gate = F.gelu(self.project(x).mean(dim=-1, keepdim=True))
        return x * gate
