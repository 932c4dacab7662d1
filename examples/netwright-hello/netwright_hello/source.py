"""A case scheme: from a reference such as "64x128x10" to a case."""

from itertools import pairwise

import torch
from torch import nn

from netwright.cases import Case, CaseOptions, Distribution, Inputs
from netwright.errors import UserError

BATCH_SIZE = 32


class Perceptron(nn.Sequential):
    """Linear layers with ReLU between them."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [nn.Linear(width_in, width_out), nn.ReLU()]
        super().__init__(*layers[:-1])


def load_mlp(reference: str, options: CaseOptions) -> Case:
    """The case `mlp:WIDTHxWIDTHx...`; `case_options.constants` may set `batch_size`.

    Raises:
        UserError: The reference is not two or more positive widths.
    """
    widths = tuple(int(part) if part.isdecimal() else 0 for part in reference.split("x"))
    if len(widths) < 2 or 0 in widths:
        raise UserError(f"'mlp:{reference}' names no perceptron", remedy="write its widths, e.g. mlp:64x128x10")
    batch_size = int((options.constants or {}).get("batch_size", BATCH_SIZE))

    def draw_inputs(seed: int, distribution: Distribution) -> Inputs:
        scale = {"large": 100.0, "small": 0.01}.get(distribution, 1.0)
        generator = torch.Generator().manual_seed(seed)
        return Inputs((scale * torch.randn(batch_size, widths[0], generator=generator),))

    return Case(
        name=f"mlp:{reference}",
        description=f"a perceptron of widths {', '.join(map(str, widths))}",
        build=lambda: Perceptron(widths),
        draw_inputs=draw_inputs,
        mode=options.mode or "eval",
        options=options,
        module_class=lambda: Perceptron,
        init_args=(widths,),
        content=f"mlp {widths} batch {batch_size}",
    )
