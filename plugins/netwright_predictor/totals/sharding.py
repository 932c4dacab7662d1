"""Sharding: what one device of several holds, computes and sends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from netwright_predictor.totals.experts import Experts
from netwright_predictor.totals.parallel import Parallel


@dataclass(frozen=True)
class Weight:
    """A parameter in its place.

    Attributes:
        numbers: How many it holds.
        stored: Bytes that it is stored in.
        gradient: Bytes of its gradient; 0 where it learns nothing.
        state: Bytes of the optimizer's state for it.
        temporary: Bytes that the optimizer's step holds besides.
        stage: The pipeline stage that holds it.
        routed: Whether it belongs to experts of which a token meets only some.
        split: Whether tensor parallelism splits it: matrices are, vectors and routers are not.
    """

    numbers: int
    stored: int
    gradient: int
    state: int
    temporary: int
    stage: int
    routed: bool
    split: bool


@dataclass(frozen=True)
class Share:
    """What one device holds, in bytes, and in numbers for parameters."""

    parameters: int
    weights: int
    gradients: int
    optimizer: int
    temporary: int


def place_weights(
    model: nn.Module,
    experts: Sequence[Experts],
    stages: int,
    *,
    stored: Callable[[Tensor], int],
    gradient: Callable[[Tensor], int],
    state: Callable[[Tensor], int],
    temporary: Callable[[Tensor], int],
) -> list[Weight]:
    """Every parameter with the stage that holds it; one that two stages need is on both.

    Layers are dealt out evenly. What comes before them is on the first stage, what comes after them on the last.
    """
    routed = {id(each) for group in experts for each in model.get_submodule(group.path).parameters()}
    split = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.Embedding) or "Conv1D" in type(module).__name__
        for parameter in module._parameters.values()
        if parameter is not None and parameter.dim() > 1
    } | routed
    placed: dict[tuple[int, int], Weight] = {}
    for stage, module in _stages(model, stages):
        for parameter in module._parameters.values():
            if parameter is not None:
                placed[stage, id(parameter)] = Weight(
                    numbers=parameter.numel(),
                    stored=stored(parameter),
                    gradient=gradient(parameter),
                    state=state(parameter),
                    temporary=temporary(parameter),
                    stage=stage,
                    routed=id(parameter) in routed,
                    split=id(parameter) in split,
                )
    return list(placed.values())


def layer_stacks(model: nn.Module) -> list[tuple[str, nn.ModuleList]]:
    """The lists of layers of a model, without lists inside of layers and those of one layer only."""
    found: list[tuple[str, nn.ModuleList]] = []
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) > 1 and not _is_inside(path, found):
            found.append((path, module))
    return found


def _is_inside(path: str, stacks: Sequence[tuple[str, nn.ModuleList]]) -> bool:
    return any(path.startswith(f"{stack}.") for stack, _ in stacks)


def _stages(model: nn.Module, stages: int) -> Iterator[tuple[int, nn.Module]]:
    """Every module that owns parameters, with the stage that it is on."""
    stacks = layer_stacks(model)
    layers = [f"{path}.{name}" for path, stack in stacks for name, _ in stack.named_children()]
    stage_of = {path: number * stages // len(layers) for number, path in enumerate(layers)}
    current = 0
    for path, module in model.named_modules():
        current = next((stage_of[prefix] for prefix in _prefixes(path) if prefix in stage_of), current)
        yield current, module


def _prefixes(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def share_of_device(weights: Sequence[Weight], parallel: Parallel) -> Share:
    """What the fullest device holds.

    Matrices are split among the devices along `tensor`, experts along `expert` as well. ZeRO splits state, gradients
    and weights among all devices that would hold the same: those along `data`, and for all but experts along `expert`.
    """
    return max(
        (_stage_share(weights, parallel, stage) for stage in range(parallel.pipeline)), key=lambda each: each.weights
    )


def _stage_share(weights: Sequence[Weight], parallel: Parallel, stage: int) -> Share:
    parameters = stored = gradients = state = temporary = 0
    for each in weights:
        if each.stage != stage:
            continue
        parts = (parallel.tensor if each.split else 1) * (parallel.expert if each.routed else 1)
        copies = parallel.data * (1 if each.routed else parallel.expert)
        parameters += part(each.numbers, parts * (copies if parallel.zero >= 3 else 1))
        stored += part(each.stored, parts * (copies if parallel.zero >= 3 else 1))
        gradients += part(each.gradient, parts * (copies if parallel.zero >= 2 else 1))
        state += part(each.state, parts * (copies if parallel.zero >= 1 else 1))
        temporary += part(each.temporary, parts * (copies if parallel.zero >= 1 else 1))
    return Share(parameters, stored, gradients, state, temporary)


def part(whole: int, parts: int) -> int:
    """One of that many equal parts, rounded up."""
    return -(-whole // parts)


def ring_all_reduce(size: int, devices: int) -> int:
    """Bytes that each device sends to sum `size` bytes over a ring: 2(n-1)/n of them (Patarasuk and Yuan, 2009)."""
    return part(2 * size * (devices - 1), devices)


def ring_all_gather(size: int, devices: int) -> int:
    """Bytes that each device sends so that all have `size` bytes of which each had a part; reduce-scatter likewise."""
    return part(size * (devices - 1), devices)


@dataclass(frozen=True)
class Traveller:
    """What passes between layers on one device.

    Attributes:
        hidden: Bytes of the hidden states of the sequences that the device sees.
        layers: Layers of the whole model.
        expert_layers: Those of them that are mixtures of experts.
        chosen: Experts that a token is routed to.
        backward: Whether gradients travel back.
    """

    hidden: int
    layers: int
    expert_layers: int
    chosen: int
    backward: bool


def communication(parallel: Parallel, traveller: Traveller, *, weights: int, gradients: int) -> Mapping[str, int]:
    """Bytes that one device sends in a step, by what for.

    Tensor: two all-reduces per layer forward and two backward (Megatron-LM, arXiv:1909.08053, section 3). Pipeline: the
    hidden states to the next stage, their gradients back. Expert: each token to its experts and back, all to all,
    forward and backward (GShard, arXiv:2006.16668, section 3.2). Data: an all-reduce of gradients, or with ZeRO 3 a
    gathering of the weights for the forward and for the backward pass and a scattering of gradients (ZeRO,
    arXiv:1910.02054, section 7).

    Args:
        weights: Bytes of the weights that the device computes with.
        gradients: Bytes of their gradients; 0 without a backward pass.
    """
    passes = 2 if traveller.backward else 1
    sent: dict[str, int] = {}
    if parallel.tensor > 1:
        per_stage = traveller.layers // parallel.pipeline
        sent["tensor"] = passes * 2 * per_stage * ring_all_reduce(traveller.hidden, parallel.tensor)
    if parallel.pipeline > 1:
        sent["pipeline"] = passes * part(traveller.hidden, parallel.tensor)
    if parallel.expert > 1:
        per_stage = part(traveller.expert_layers, parallel.pipeline)
        away = ring_all_gather(traveller.hidden * traveller.chosen, parallel.expert)
        sent["expert"] = passes * 2 * per_stage * part(away, parallel.tensor)
    if parallel.replicas > 1:
        if parallel.zero >= 3:
            rounds = 2 if traveller.backward else 1
            sent["data"] = rounds * ring_all_gather(weights, parallel.replicas) + ring_all_gather(
                gradients, parallel.replicas
            )
        elif gradients:
            sent["data"] = ring_all_reduce(gradients, parallel.replicas)
    return sent
