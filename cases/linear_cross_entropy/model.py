"""The loss of a language model's last layer, whose logits are as large as its vocabulary."""

from torch import Tensor, nn
from torch.nn import functional as F


class LinearCrossEntropy(nn.Module):
    """The mean cross-entropy between a linear layer's logits and the targets."""

    def __init__(self, hidden: int, vocabulary: int) -> None:
        super().__init__()
        self.head = nn.Linear(hidden, vocabulary, bias=False)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Map (tokens, hidden) and (tokens,) to a scalar."""
        return F.cross_entropy(self.head(x), target)
