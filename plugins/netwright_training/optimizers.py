"""Making the optimizer that a recipe asks for."""

from torch import nn, optim

from netwright.errors import UserError
from netwright_training.config import OptimizerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> optim.Optimizer:
    """An optimizer of all parameters that require gradients, in one group.

    Torch's fused implementations are taken on the devices where all three algorithms have them: one call per step,
    not several per parameter.

    Raises:
        UserError: No parameter requires gradients.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise UserError("the model has nothing to train", why="no parameter requires gradients")
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
    if config.name == "sgd":
        return optim.SGD(
            parameters,
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.nesterov,
            fused=fused,
        )
    algorithm = optim.AdamW if config.name == "adamw" else optim.Adam
    return algorithm(parameters, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay, fused=fused)
