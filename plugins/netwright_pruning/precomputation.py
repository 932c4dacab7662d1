"""Precomputation: what one pruning finds out is kept on disk for the next, as long as it may be trusted."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from netwright.cases import Inputs, map_tensors
from netwright.files import cache_folder, content_key, replace_file
from netwright_pruning.experiment import CachePolicy, PrecomputationSection
from netwright_pruning.scoring import ScoringMethod

STANDALONE = ("_experiment", "_input_shape")
"""What a method holds that is used by itself, and that no score rests on."""


@dataclass(frozen=True)
class Store:
    """A folder of kept files.

    Attributes:
        seconds: How long a file is read after it was written.
    """

    folder: Path
    seconds: float

    def read(self, name: str) -> bytes | None:
        """A file's content, if it is young enough."""
        path = self.folder / name
        try:
            return path.read_bytes() if time.time() - path.stat().st_mtime <= self.seconds else None
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Keep a file, whole."""
        with replace_file(self.folder / name) as temporary:
            temporary.write_bytes(content)


@dataclass(frozen=True)
class Precomputation:
    """What is kept, and where; None keeps nothing."""

    model_analysis: Store | None = None
    importance_scores: Store | None = None


_current: ContextVar[Precomputation] = ContextVar("netwright_precomputation", default=Precomputation())  # noqa: B039


def current_precomputation() -> Precomputation:
    """What is kept by the pruning in force; nothing unless it says so."""
    return _current.get()


@contextmanager
def precomputing(section: PrecomputationSection) -> Iterator[Precomputation]:
    """Inside the block, prunings keep what the section says."""
    root = section.cache_dir or cache_folder("pruning")

    def store(policy: CachePolicy, name: str) -> Store | None:
        return Store(root / name, policy.cache_duration) if section.enabled and policy.enabled else None

    found = Precomputation(store(section.model_analysis, "analysis"), store(section.importance_scores, "scores"))
    token = _current.set(found)
    try:
        yield found
    finally:
        _current.reset(token)


@dataclass(frozen=True)
class KeyParts:
    """All that scores rest on.

    Attributes:
        batches: None for a method that looks at no data.
        groups: The names of the groups that are scored.
    """

    model: nn.Module
    inputs: Inputs
    method: ScoringMethod
    batches: Sequence[Any] | None
    seed: int
    groups: tuple[str, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """The method's own."""
        return {name: value for name, value in vars(self.method).items() if name not in STANDALONE}

    def key(self) -> str:
        """Equal parts have equal keys, in every process."""
        digest = hashlib.blake2b()

        def take(tensor: Tensor) -> Tensor:
            flat = tensor.detach().cpu().contiguous().flatten()
            digest.update(str((tuple(tensor.shape), tensor.dtype)).encode())
            digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
            return tensor

        map_tensors([dict(self.model.state_dict()), self.inputs, list(self.batches or ())], take)
        kind = f"{type(self.method).__module__}.{type(self.method).__qualname__}"
        versions = (torch.__version__, version("torch-pruning"))
        parts = (digest.hexdigest(), repr(self.model), kind, self.settings, self.seed, self.groups, versions)
        return content_key(*parts)[:40]


def kept_scores(parts: KeyParts, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Per group, one score per channel: kept ones of equal parts, or else computed and kept.

    A method that holds more than plain settings (tensors, say) is asked every time: what it rests on is not known.
    """
    store = current_precomputation().importance_scores
    if store is None or not all(_is_plain(value) for value in parts.settings.values()):
        return compute()
    name = f"{parts.key()}.safetensors"
    content = store.read(name)
    if content is not None:
        with suppress(SafetensorError):
            return load(content)
    scores = compute()
    store.write(name, save({group: found.detach().cpu().clone().contiguous() for group, found in scores.items()}))
    return scores


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))
