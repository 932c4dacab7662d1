"""The spread: a whole model over devices, as what one of them holds and does."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from transformers import PretrainedConfig

from netwright_predictor.deployment import Deployment
from netwright_predictor.prediction import Device
from netwright_predictor.totals import optimizer as optimizers
from netwright_predictor.totals.experts import Experts
from netwright_predictor.totals.memory import Resident, buffer_bytes
from netwright_predictor.totals.parallel import check_degrees
from netwright_predictor.totals.sharding import (
    Traveller,
    communication,
    layer_stacks,
    part,
    place_weights,
    share_of_device,
)
from netwright_predictor.tracing.timeline import Peak
from netwright_zoo import text_config_of


class Spread:
    """What one device of several holds and does.

    Attributes:
        resident: What lies on it throughout.

    Args:
        model: The whole model.
        config: Its config.
        experts: Its routed experts.
        deployment: The degrees of parallelism, and what is trained how.
        stored: Bytes that a parameter is stored in.
    """

    def __init__(
        self,
        model: nn.Module,
        config: PretrainedConfig,
        experts: Sequence[Experts],
        deployment: Deployment,
        stored: Callable[[Tensor], int],
    ) -> None:
        self._experts = experts
        self._deployment = deployment
        self._parallel = deployment.parallel
        text = text_config_of(config)
        self._heads = _positive(text, "num_attention_heads")
        self._kv_heads = _positive(text, "num_key_value_heads") or self._heads
        self._is_latent = _positive(text, "kv_lora_rank") is not None
        self._layers = sum(len(stack) for _, stack in layer_stacks(model))
        training = deployment.phase == "train"
        optimizer = optimizers.find_optimizer(deployment.optimizer)

        def learned(each: Tensor) -> bool:
            return training and each.requires_grad

        weights = place_weights(
            model,
            experts,
            self._parallel.pipeline,
            stored=stored,
            gradient=lambda each: each.numel() * each.element_size() if learned(each) else 0,
            state=lambda each: optimizer.state(_seen(each)) if learned(each) else 0,
            temporary=lambda each: optimizer.temporary(_seen(each)) if learned(each) else 0,
        )
        self._share = share_of_device(weights, self._parallel)
        self._computed = share_of_device(weights, self._parallel.model_copy(update={"zero": 0}))
        self._expert_bytes = [
            sum(stored(each) for each in model.get_submodule(group.path).parameters()) for group in experts
        ]
        self.resident = Resident(
            self._share.weights,
            buffer_bytes(model),
            self._share.gradients,
            self._share.optimizer,
            self._share.temporary,
        )

    def check(self, batch: int) -> None:
        """Refuse degrees that do not divide what they share, by a `UserError`."""
        check_degrees(
            self._parallel,
            heads=self._heads,
            kv_heads=self._kv_heads,
            layers=self._layers,
            experts=min((each.count for each in self._experts), default=None),
            batch=batch,
        )

    def batch(self, batch: int) -> int:
        """Sequences that one device sees."""
        return part(batch, self._parallel.replicas)

    @property
    def gradient_copies(self) -> int:
        """Among how many devices gradients are shared out as they come (ZeRO, arXiv:1910.02054, section 5.2)."""
        return self._parallel.replicas if self._parallel.zero >= 2 else 1

    def peak(self, whole: Peak) -> Peak:
        """One device's part of what a step makes.

        Tensor parallelism with sequence parallelism splits all of it (Korthikanti et al., arXiv:2205.05198, section 4).
        A pipeline with as many micro-batches as stages keeps on its first stage, of each micro-batch, its own layers'.
        """
        parts = self._parallel.tensor * self._parallel.pipeline
        return Peak(part(whole.bytes, parts), part(whole.kept, parts), whole.moment)

    def cache(self, whole: int) -> int:
        """One device's part of a cache of its sequences: by stages, and by heads where there are any to share."""
        heads = 1 if self._is_latent else min(self._parallel.tensor, self._kv_heads or self._parallel.tensor)
        return part(whole, self._parallel.pipeline * heads)

    def device(self, batch: int, hidden: int, flops: int) -> Device:
        """What one device does in a step.

        Args:
            batch: Sequences of all devices.
            hidden: Bytes of the hidden states of one sequence.
            flops: Of a step, of all devices.
        """
        local = self.batch(batch)
        traveller = Traveller(
            hidden=local * hidden,
            layers=self._layers,
            expert_layers=len(self._experts),
            chosen=max((each.chosen for each in self._experts), default=0),
            backward=self._deployment.phase == "train",
        )
        return Device(
            devices=self._parallel.devices,
            parameters=self._share.parameters,
            batch=local,
            flops=part(flops, self._parallel.devices),
            sent_bytes=dict(
                communication(
                    self._parallel, traveller, weights=self._computed.weights, gradients=self._computed.gradients
                )
            ),
        )

    def unread(self, tokens: int) -> int:
        """Bytes of the experts on one device that no token needs, where each token goes to others if it can."""
        unread = 0
        for group, stored in zip(self._experts, self._expert_bytes, strict=True):
            held = part(stored, self._parallel.tensor * self._parallel.pipeline * self._parallel.expert)
            reached = min(group.count, tokens * group.chosen)
            unread += held * (group.count - reached) // group.count
        return unread

    def notes(self) -> list[str]:
        """What is assumed of the way in which devices share a model."""
        if self._parallel.devices == 1:
            return []
        return [
            "each device: matrices, heads and vocabulary split along tensor, with sequence parallelism for what lies "
            "between; one layer stack dealt evenly along pipeline, as many micro-batches as stages; work split evenly; "
            "what is on its way between devices takes no memory"
        ]


def _seen(parameter: Tensor) -> optimizers.Tensor:
    return optimizers.Tensor(tuple(parameter.shape), parameter.element_size())


def _positive(config: PretrainedConfig, name: str) -> int | None:
    value = config.to_dict().get(config.attribute_map.get(name, name))  # where layers differ, the attribute raises
    return value if isinstance(value, int) and value > 0 else None
