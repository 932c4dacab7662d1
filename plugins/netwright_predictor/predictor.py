"""The predictor: a model that was traced once and is predicted at any sizes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, get_args

from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

from netwright.config import parse_config
from netwright.errors import NetwrightError, UserError
from netwright.formatting import format_number
from netwright_predictor.analysis import ModuleCost, analyze
from netwright_predictor.check import SECONDS, check_prediction
from netwright_predictor.deployment import Deployment
from netwright_predictor.prediction import Bound, Check, Device, Flops, KvCache, Latency, Memory, Parameters, Prediction
from netwright_predictor.subject import Subject
from netwright_predictor.totals.bounds import bound_phase
from netwright_predictor.totals.conventions import Convention
from netwright_predictor.totals.experts import find_experts
from netwright_predictor.totals.flops import ModuleFlops, checkpointed, find_head, module_flops
from netwright_predictor.totals.formats import COMPUTE, compute_dtype
from netwright_predictor.totals.hardware import Hardware
from netwright_predictor.totals.kv_cache import CacheTensor, read_cache, total_cache
from netwright_predictor.totals.memory import Resident, inference_memory, training_memory
from netwright_predictor.totals.parameters import count_parameters
from netwright_predictor.totals.quantization import stored_bytes
from netwright_predictor.totals.spread import Spread
from netwright_predictor.totals.traffic import module_traffic
from netwright_predictor.totals.tree import Priced, build_tree
from netwright_predictor.tracing.fake import faked
from netwright_predictor.tracing.feed import Feed
from netwright_predictor.tracing.flow import Flows, read_flows
from netwright_predictor.tracing.further import FurtherTraces
from netwright_predictor.tracing.fused import FusedAttention
from netwright_predictor.tracing.grouped import GroupedProducts
from netwright_predictor.tracing.sizes import Phase, Sizes
from netwright_predictor.tracing.step import Step, record_step
from netwright_predictor.tracing.timeline import Peak, Peaks, fit_peaks, read_timeline
from netwright_predictor.tracing.trace import Trace, asked_at, trace
from netwright_zoo import text_config_of

MORE: tuple[Mapping[str, int], ...] = (
    {"batch": 1, "sequence": 19, "context": 37},
    {"batch": 4, "sequence": 17, "context": 41},
)
"""Further sizes, for steps in which what happens depends on the sizes."""


class Predictor:
    """A model that was traced once and is predicted at any sizes, by closed forms only.

    Args:
        subject: The model.
        deployment: How it is run.
        sequence: New tokens, samples or frames that will be asked for. It matters where sound of any length is heard,
            and in decoding, where one token goes another way than several.
        encoder: Positions that its encoder will read, likewise.
        sibling: The same model in another phase, which shares what it knows.

    Raises:
        UserError: The model has no such phase, its class refuses the config, or it cannot be fed.
        NetwrightError: The model cannot be built without weights, or its forward fails.
    """

    model: nn.Module
    parameters: Parameters
    flows: Flows
    costs: list[ModuleCost]

    def __init__(
        self,
        subject: Subject,
        deployment: Deployment,
        *,
        sequence: int | None = None,
        encoder: int | None = None,
        sibling: "Predictor | None" = None,
    ) -> None:
        self.subject = subject
        self.deployment = deployment
        self.phase: Phase = deployment.phase
        self.dtype = compute_dtype(deployment.dtype or subject.dtype or "float32")
        self.notes: list[str] = []
        if deployment.dtype is None and subject.dtype is None:
            self.notes.append("the config names no dtype: float32, as transformers builds it")
        if subject.quantization is not None and deployment.quantization.weights is None:
            self.notes.append(
                f"the config's own quantization, {subject.quantization}, is not counted: choose a format of weights"
            )
        self.feed = Feed(subject.model_class, subject.config, image=deployment.image)
        if self.phase == "decode" and not self.feed.is_decoder:
            raise self._no_decode()
        self._sibling = sibling
        self.model = subject.build(self.dtype, "eager") if sibling is None else sibling.model
        self.head = find_head(self.model)
        self.experts = find_experts(self.model)
        self.parameters = count_parameters(self.model, self.experts) if sibling is None else sibling.parameters
        self._inside = False
        stored = stored_bytes(self.model, deployment.quantization.weights, self.experts, self.head)
        self._spread = Spread(self.model, subject.config, self.experts, deployment, stored)
        self._own_bytes = {
            path: sum(stored(each) for each in module._parameters.values() if each is not None)
            for path, module in self.model.named_modules()
        }
        self._seen = self.feed.trace_sizes(self.phase, sequence=sequence, encoder=encoder)
        if sibling is not None and {self.phase, sibling.phase} == {"prefill", "train"}:  # their forwards are alike
            self.flows, self.costs = sibling.flows, sibling.costs
            return
        with self._faked():
            self.flows = read_flows([self._first_trace(sizes) for sizes in self._seen])
            further = FurtherTraces(self.flows, self.phase, self._trace, self.feed.windows)
            self.costs = analyze(self.model, self.flows, dtype_bytes=COMPUTE[self.dtype], traces=further)
        if self.feed.image_tokens:
            self.notes.append(
                f"an image of {self.feed.image_tokens} tokens goes before each text; lengths are the text's"
            )

    def sizes(
        self, batch: int = 1, sequence: int | None = None, context: int | None = None, encoder: int | None = None
    ) -> Sizes:
        """The sizes of a prediction, with what is None filled in.

        A phase without a cache takes as many tokens as the model was made for. Decoding takes one, after all others.

        Raises:
            UserError: A size is negative or zero, or the phase has no context.
        """
        decoding = self.phase == "decode"
        if sequence is None:
            is_free = "S" in self.feed.varying and not decoding
            sequence = self._longest if is_free else self._seen[0].sequence
        if context is None:
            context = max(0, self._longest - sequence) if decoding else 0
        if context and not decoding:
            raise UserError(f"phase '{self.phase}' has no context", remedy="set phase=decode, or context_length=0")
        values = {"batch": batch, "sequence": sequence, "context": context}
        if encoder is None:
            encoder = max(sequence, context) if "E" in self.feed.varying else self._seen[0].encoder
        settled = self.feed.settle(parse_config(Sizes, {**values, "encoder": encoder}, path="sizes"))
        asked = {"sequence": sequence, "encoder": encoder}
        for name, number in asked.items():
            if self.feed.window > 1 and number and getattr(settled, name) > number:
                self.notes.append(
                    f"the model fills up its input to whole windows of {self.feed.window}: {getattr(settled, name)} "
                    f"tokens are counted throughout, not {number}"
                )
        if not self.feed.agrees(self._seen, settled):
            raise UserError(
                f"this predictor was made for sequences of {self._seen[0].sequence}, not {settled.sequence}",
                remedy="make another one: Predictor(..., sequence=..., encoder=...)",
            )
        return settled

    @property
    def _longest(self) -> int:
        """Tokens of text that the model was made for, beside those of an image where there is one."""
        return max(1, self.subject.longest - self.feed.image_tokens)

    def predict(self, sizes: Sizes, *, hardware: Hardware | None = None, check: bool = False) -> Prediction:
        """What the model costs at `sizes`.

        Args:
            hardware: Bounds the latency; None leaves it out.
            check: Whether to count the same forward, too.

        Raises:
            UserError: The degrees of parallelism do not divide, or the hardware has no rate for the dtype.
        """
        self._spread.check(sizes.batch)
        priced = self._priced(sizes)
        flops = self._flops(sizes, priced)
        device = self.device(sizes, flops)
        return Prediction(
            model=self.subject.name,
            model_class=self.subject.model_class.__name__,
            dtype=self.dtype,
            phase=self.phase,
            sizes=sizes,
            parameters=self.parameters,
            flops=flops,
            kv_cache=self.kv_cache(sizes),
            memory=self.memory(sizes, hardware=hardware),
            traffic_bytes=sum(each.traffic.reads + each.traffic.writes for each in priced.values()),
            device=device,
            latency=self._latencies(sizes, device, hardware) if hardware is not None else Latency(),
            check=self.check(sizes) if check else Check(status="not_measured", reason="no check was asked for"),
            tree=build_tree(self.model, priced.__getitem__, self.flows.origin, self.subject.model_class.__name__),
            provenance=self._provenance(),
            notes=[*self.notes, *self._unreached(), *self._spread.notes(), *self._unknown(priced)],
        )

    def kv_cache(self, sizes: Sizes) -> KvCache:
        """The cache after a forward at `sizes`, on all devices together."""
        return total_cache(
            self.cache,
            batch=sizes.batch,
            tokens=sizes.context + sizes.sequence,
            encoder=sizes.encoder,
            config=text_config_of(self.subject.config).to_dict(),
            dtype_bytes=COMPUTE[self.dtype],
        )

    def memory(self, sizes: Sizes, *, hardware: Hardware | None = None) -> Memory:
        """Memory of one device at `sizes`: closed forms only, whatever the sizes."""
        local = sizes.model_copy(update={"batch": self._spread.batch(sizes.batch)})
        peak = self._peak(local)
        if self.phase == "train":
            found = training_memory(self.resident, peak)
        else:
            before = self._cached(local, local.context) if local.context else 0
            after = self._cached(local, local.context + local.sequence)
            found = inference_memory(self.resident, peak, cache_before=before, cache_after=after)
        if hardware is None or hardware.memory is None:
            return found
        device = int(hardware.memory)
        return found.model_copy(update={"device_bytes": device, "fits": found.total_bytes <= device})

    def device(self, sizes: Sizes, flops: Flops) -> Device:
        """What one device does in a step."""
        passed = flops.forward + flops.backward + flops.recomputation
        hidden = int(getattr(text_config_of(self.subject.config), "hidden_size", 0) or 0) * COMPUTE[self.dtype]
        return self._spread.device(sizes.batch, sizes.sequence * hidden, passed)

    def latency(self, sizes: Sizes, device: Device, hardware: Hardware) -> Bound:
        """The least time of the phase on that hardware.

        Raises:
            UserError: The hardware has no rate for the dtype, or no interconnect where there are several devices.
        """
        local = sizes.model_copy(update={"batch": device.batch})
        before = self._cached(local, local.context) if local.context else 0
        return bound_phase(
            hardware,
            self.phase,
            self._rate_format(),
            device,
            resident=self.resident,
            unread=self._spread.unread(device.batch * sizes.sequence),
            kept=self._peak(local).kept if self.phase == "train" else 0,
            cache_read=before,
            cache_written=self._cached(local, local.context + local.sequence) - before,
            tokens=sizes.batch * sizes.sequence,
        )

    def _latencies(self, sizes: Sizes, device: Device, hardware: Hardware) -> Latency:
        """The least time of every phase that the model has: for as many tokens, or for one more after them."""
        bounds = {self.phase: self.latency(sizes, device, hardware)}
        known: dict[str, Predictor] = {self.phase: self}
        tokens = sizes.context + sizes.sequence
        for phase in get_args(Phase):
            if phase == self.phase:
                continue
            length, context = (1, tokens) if phase == "decode" else (tokens, None)
            try:
                chosen = self.deployment.model_copy(update={"phase": phase})
                other = Predictor(self.subject, chosen, sibling=known.get("prefill", self))
                known[phase] = other
                its = other.sizes(sizes.batch, length, context, sizes.encoder or None)
                flops = other._flops(its, other._priced(its))
                bounds[phase] = other.latency(its, other.device(its, flops), hardware)
            except UserError:
                continue  # it has no such phase
            except Exception as error:  # a stranger's model may raise anything; the phase that was asked for stands
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                self.notes.append(f"the latency of phase '{phase}' is not known: {reason}")
        return Latency(**bounds)

    def module_flops(self, path: str, sizes: Sizes) -> ModuleFlops:
        """FLOPs of one module itself, without its children."""
        return module_flops(self._costs[path], sizes.variables, self.deployment.convention, is_head=path == self.head)

    def backward_flops(self, sizes: Sizes) -> int:
        """FLOPs of the backward pass by the default convention."""
        plain = Convention()
        return sum(module_flops(cost, sizes.variables, plain).backward for cost in self.costs)

    def check(self, sizes: Sizes, *, seconds: float = SECONDS) -> Check:
        """Count the same forward with torch's counter and compare; an attempt may take that many seconds."""
        with self._faked():
            backward = self.backward_flops if self.phase == "train" else None
            return check_prediction(
                self.model, self.feed, self.costs, sizes, self.phase, backward=backward, seconds=seconds
            )

    @property
    def resident(self) -> Resident:
        """What lies on one device throughout."""
        return self._spread.resident

    @property
    def cache(self) -> Sequence[CacheTensor]:
        """The tensors in which the model remembers earlier tokens, of all devices together; none in training.

        Raises:
            UserError: In decoding, there are none.
        """
        if self._sibling is None or self._sibling.phase != "prefill" or self.phase != "decode":
            return self._read[1]
        if not self._sibling.cache:
            raise self._no_decode()
        return self._sibling.cache

    @property
    def _peaks(self) -> Peaks | None:
        return self._read[0]

    @cached_property
    def _read(self) -> tuple[Peaks | None, list[CacheTensor]]:
        """How memory comes and goes, and the cache, read off steps at small sizes; None for what is not known."""
        name = self.subject.model_class.__name__
        steps: list[Step] = []
        peaks: Peaks | None = None
        reason = "what a step allocates follows no formula that was tried"
        try:
            with self._faked(), self._implementations(), GroupedProducts(), FusedAttention():
                steps = [record_step(self.model, self.feed, sizes, self.phase) for sizes in self._seen]
                recordings, at = [step.recording for step in steps], [step.sizes.variables for step in steps]
                peaks = read_timeline(recordings, at, steps[0].windows)
                if peaks is None:
                    more = [record_step(self.model, self.feed, sizes, self.phase) for sizes in self._further_sizes()]
                    recordings += [step.recording for step in more]
                    peaks = fit_peaks(recordings, [*at, *(step.sizes.variables for step in more)])
        except Exception as error:  # a stranger's model may raise anything; its FLOPs are known all the same
            reason = " ".join(f"{type(error).__name__}: {error}".split())
        if self.phase == "decode" and steps and not steps[0].held:
            raise self._no_decode()
        if peaks is None:
            self.notes.append(f"the activations of {name} are not known, and no total counts them: {reason}")
        if self.phase == "train" and steps and not steps[0].has_own_loss:
            self.notes.append("the loss is the sum of the model's first output, for it computes none itself")
        return peaks, self._read_cache(steps)

    def _read_cache(self, steps: Sequence[Step]) -> list[CacheTensor]:
        if not steps:
            return []
        filled = [{**step.sizes.variables, "S": step.sizes.sequence + step.sizes.context, "C": 0} for step in steps]
        kv = self.deployment.quantization.kv
        cache, unknown = read_cache([step.held for step in steps], filled, steps[0].repeats, kv)
        if unknown:
            self.notes.append(f"the size of these tensors of the cache is not known: {', '.join(unknown)}")
        return cache

    def _cached(self, sizes: Sizes, tokens: int) -> int:
        """Bytes of one device's part of the cache."""
        return self._spread.cache(sum(each.at(sizes.batch, tokens, sizes.encoder) for each in self.cache))

    def _peak(self, local: Sizes) -> Peak:
        """The greatest moment of a step on one device; nothing where it is not known."""
        if self._peaks is None:
            return Peak(0, 0, "unknown")
        return self._spread.peak(self._peaks.peak(local.variables, copies=self._spread.gradient_copies))

    @contextmanager
    def _faked(self) -> Iterator[None]:
        if self._inside:
            yield
            return
        self._inside = True
        try:
            with faked(self.model):
                self.model.train(self.phase == "train")
                yield
        finally:
            self._inside = False

    def _trace(self, sizes: Sizes) -> Trace:
        with self._faked():
            return trace(self.model, self.feed, sizes, self.phase)

    def _first_trace(self, sizes: Sizes) -> Trace:
        try:
            return self._trace(sizes)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            name = self.subject.model_class.__name__
            raise NetwrightError(
                f"what {name} computes depends on numbers that only its weights tell", why=asked_at(error)
            ) from error
        except NetwrightError:
            raise
        except Exception as error:  # a stranger's model may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(
                f"a forward of {self.subject.model_class.__name__} fails with this config",
                why=reason,
                remedy="see whether sizes in it contradict each other",
            ) from error

    def _further_sizes(self) -> list[Sizes]:
        first = self._seen[0]
        varied = {name for name in MORE[0] if len({getattr(each, name) for each in self._seen}) > 1}
        return [first.model_copy(update={name: row[name] for name in varied}) for row in MORE]

    @contextmanager
    def _implementations(self) -> Iterator[None]:
        """Inside the block, attention, experts and checkpointing are as they are deployed; outside, as counted."""
        checkpointing = self.phase == "train" and self.deployment.checkpointing
        self._implement(attention=self.deployment.kernel, experts="grouped_mm")
        if checkpointing:
            self._switch("gradient_checkpointing_enable")
        try:
            yield
        finally:
            self._implement(attention="eager", experts="batched_mm")
            if checkpointing:
                self._switch("gradient_checkpointing_disable")

    def _implement(self, *, attention: str, experts: str) -> None:
        """Choose how attention and experts are computed; where a model has no choice, it stays as it is."""
        choices = (
            (attention, getattr(self.model, "set_attn_implementation", None)),
            (experts, getattr(self.model, "set_experts_implementation", None) if self.experts else None),
        )
        for implementation, choose in choices:
            if choose is not None:
                try:
                    choose(implementation)
                except (ValueError, ImportError) as error:
                    reason = str(error).partition(". ")[0]
                    self.notes.append(f"memory is that of its own implementation, not of {implementation}: {reason}")

    def _switch(self, name: str) -> None:
        switch: Callable[[], None] = getattr(self.model, name)
        switch()

    @cached_property
    def _costs(self) -> Mapping[str, ModuleCost]:
        return {cost.path: cost for cost in self.costs}

    def _priced(self, sizes: Sizes) -> dict[str, Priced]:
        priced: dict[str, Priced] = {}
        for cost in self.costs:
            same = priced.get(self.flows.origin(cost.path))
            weights = self._own_bytes[cost.path]
            if same is not None:
                priced[cost.path] = Priced(cost, same.flops, same.counted, same.traffic, weights, same.values)
                continue
            flops = self.module_flops(cost.path, sizes)
            priced[cost.path] = Priced(
                cost,
                flops,
                flops.counted(self.deployment.convention)[0],
                module_traffic(cost, sizes.variables),
                weights,
                cost.calls[0].at(sizes.variables) if cost.calls and cost.calls[0].known == "formula" else {},
            )
        return priced

    def _flops(self, sizes: Sizes, priced: Mapping[str, Priced]) -> Flops:
        convention = self.deployment.convention
        again = checkpointed(self.model) if self.phase == "train" and self.deployment.checkpointing else frozenset()
        forward = backward = other = recomputed = 0
        for path, each in priced.items():
            counted = each.flops.counted(convention)
            forward += counted[0]
            backward += counted[1] if self.phase == "train" else 0
            other += each.flops.other
            recomputed += counted[0] if path in again else 0
        return Flops(
            forward=forward,
            backward=backward,
            recomputation=recomputed,
            other=other,
            per_token=(forward + backward) / (sizes.batch * sizes.sequence),
            convention=str(convention),
        )

    def _rate_format(self) -> str:
        """What matrix products are computed in: fewer bits only where weights and activations both have them."""
        chosen = self.deployment.quantization
        if chosen.activations is not None and chosen.weights is not None:
            return chosen.activations
        return self.dtype

    def _no_decode(self) -> UserError:
        return UserError(
            f"{self.subject.model_class.__name__} has no phase 'decode'",
            why="it keeps no cache of earlier tokens",
            remedy="set phase to prefill or train",
        )

    def _provenance(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for cost in self.costs:
            for call in cost.calls:
                if call.provenance:
                    found.setdefault(cost.class_path, {name: str(value) for name, value in call.provenance.items()})
        return found

    def _unreached(self) -> list[str]:
        """The largest parts that the forward passes by, as a text alone passes by a tower for images."""
        found: dict[str, int] = {}
        for path, module in self.model.named_modules():
            inside = any(path.startswith(f"{each}.") for each in found)
            if inside or not any(module.children()) or self._is_reached(path):
                continue
            if parameters := sum(each.numel() for each in module.parameters()):
                found[path] = parameters
        if not found:
            return []
        largest = sorted(found, key=lambda path: -found[path])[:3]
        named = ", ".join(f"{path} ({format_number(found[path])} parameters)" for path in largest)
        others = f" and {len(found) - len(largest)} more" if len(found) > len(largest) else ""
        inputs = " and ".join(self.feed.names(self._seen[0]))
        return [f"a forward with {inputs} does not reach {named}{others}: they are not called, and count no FLOPs"]

    def _is_reached(self, path: str) -> bool:
        """Whether a module is called, or one inside of it."""
        called = self._called
        origin = self.flows.origin(path)
        return origin in called or any(each.startswith(f"{origin}.") for each in called)

    @cached_property
    def _called(self) -> frozenset[str]:
        return frozenset(self.flows.by_path) | self.flows.unequal

    def _unknown(self, priced: Mapping[str, Priced]) -> list[str]:
        reasons = Counter(cost.unexplained for cost in self.costs if cost.unexplained)
        notes = [f"FLOPs of {count} modules are not known: {reason}" for reason, count in reasons.items()]
        if silent := sum(each.traffic.unknown for each in priced.values()):
            notes.append(f"bytes that {silent} modules read and write are not known")
        return notes
