"""Parameters: how many numbers a model learns, and of what kind they are."""

from collections import Counter
from collections.abc import Sequence

from torch import nn

from netwright_predictor.prediction import Parameters
from netwright_predictor.totals.experts import Experts


def count_parameters(model: nn.Module, experts: Sequence[Experts]) -> Parameters:
    """Count a model's parameters, tied ones once.

    Args:
        experts: Its routed experts, of which a token meets only some.
    """
    each = list(model.parameters())
    tables = {
        id(module.weight): module.weight.numel() for module in model.modules() if isinstance(module, nn.Embedding)
    }
    by_dtype: Counter[str] = Counter()
    for parameter in each:
        by_dtype[str(parameter.dtype).removeprefix("torch.")] += parameter.numel()
    total = sum(parameter.numel() for parameter in each)
    embedding = sum(tables.values())
    return Parameters(
        total=total,
        active=total - sum(group.numbers - group.active for group in experts),
        trainable=sum(parameter.numel() for parameter in each if parameter.requires_grad),
        embedding=embedding,
        by_dtype=dict(by_dtype),
    )
