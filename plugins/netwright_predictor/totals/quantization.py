"""Quantization: the bytes of weights, cache and activations that are stored in fewer bits."""

from collections.abc import Callable

from torch import Tensor, nn

from netwright_predictor.totals.experts import Experts
from netwright_predictor.totals.formats import Format, storage_format


def stored_bytes(
    model: nn.Module, chosen: str | None, experts: list[Experts], head: str | None
) -> Callable[[Tensor], int]:
    """A function from a parameter to the bytes that it is stored in.

    Args:
        chosen: The number format of the weights that are quantized, or None for none.
        head: Path of the module that turns hidden states into scores.

    Raises:
        UserError: There is no such format.
    """
    if chosen is None:
        return lambda each: each.numel() * each.element_size()
    number_format = storage_format(chosen)
    quantized = _quantized(model, experts, head)
    return lambda each: (
        matrix_bytes(each, number_format) if id(each) in quantized else each.numel() * each.element_size()
    )


def matrix_bytes(matrix: Tensor, number_format: Format) -> int:
    """Bytes of one or several matrices, whose rows are their last dimension."""
    rows = matrix.numel() // matrix.shape[-1]
    return number_format.bytes(matrix.numel(), rows)


def _quantized(model: nn.Module, experts: list[Experts], head: str | None) -> set[int]:
    kept = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding)}
    if head is not None:
        kept |= {id(each) for each in model.get_submodule(head).parameters()}
    matrices = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    for group in experts:
        matrices += [each for each in model.get_submodule(group.path).parameters() if each.dim() > 1]
    return {id(each) for each in matrices} - kept
