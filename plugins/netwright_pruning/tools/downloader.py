"""Published weights, fetched once and kept: from timm's collection on the hub, or torchvision's on torch hub."""

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from safetensors.torch import save
from torch import nn

from netwright.context import current_run
from netwright.errors import NetwrightError, UserError
from netwright.files import cache_folder, replace_file, slug
from netwright_pruning.record import SubscriptableRecord
from netwright_pruning.utils.models import model_case


class Download(SubscriptableRecord):
    """What became of one model."""

    model_name: str
    """As it was asked for."""
    case: str
    """The case that it means; "" for a name that means none."""
    success: bool
    path: Path | None = None
    """The state dict (safetensors)."""
    cached: bool = False
    """Whether it was there before."""
    parameters: int | None = None
    """Elements of all weights in the file."""
    seconds: float = 0.0
    error: str | None = None
    """Why there is none, and what to do."""


class ModelDownloader:
    """Fetches published weights.

    Args:
        num_workers: How many are fetched at once.
        cache_dir: Where they are kept; None is netwright's cache.
    """

    def __init__(self, num_workers: int = 4, cache_dir: str | Path | None = None) -> None:
        if num_workers < 1:
            raise UserError(f"num_workers cannot be {num_workers}", why="at least one has to fetch")
        self.num_workers = num_workers
        self.cache_dir = Path(cache_dir) if cache_dir is not None else cache_folder("weights")

    def download_models(self, model_names: Sequence[str], parallel: bool = True) -> dict[str, Download]:
        """Fetch several; those that cannot be had are said, and hide no other.

        Args:
            model_names: Short names (deit_small), names of timm, or cases ("torchvision:resnet50").
            parallel: Whether to fetch `num_workers` at once.

        Returns:
            Per name, what became of it.
        """
        names = list(dict.fromkeys(model_names))
        with current_run().step("fetch weights", total=len(names)) as step, _no_vain_retries():

            def fetch(name: str) -> Download:
                found = self._attempt(name)
                step.advance(1)
                return found

            if parallel and len(names) > 1:
                with ThreadPoolExecutor(self.num_workers) as pool:
                    found = list(pool.map(fetch, names))
            else:
                found = [fetch(name) for name in names]
        for download in found:
            if download.error:
                current_run().warn(f"no weights of {download.model_name}: {download.error}")
        return dict(zip(names, found, strict=True))

    def download(self, model_name: str) -> Path:
        """The file with a model's published weights, fetched when it is not there.

        Raises:
            UserError: There is no such model, or no published weights of it, or the network does not give them.
        """
        case = model_case(model_name)
        path = self.path_of(case)
        if not path.is_file():
            weights = {name: tensor.detach().clone().contiguous() for name, tensor in _fetch(case).state_dict().items()}
            with replace_file(path) as temporary:
                temporary.write_bytes(save(weights))
        return path

    def path_of(self, case: str) -> Path:
        """Where the weights of a case are kept."""
        return self.cache_dir / f"{slug(case)}.safetensors"

    def _attempt(self, name: str) -> Download:
        started = time.perf_counter()
        case, cached = "", False
        try:
            case = model_case(name)
            cached = self.path_of(case).is_file()
            path = self.download(name)
        except NetwrightError as error:
            return Download(
                model_name=name,
                case=case,
                success=False,
                seconds=round(time.perf_counter() - started, 3),
                error=str(error),
            )
        return Download(
            model_name=name,
            case=case,
            success=True,
            path=path,
            cached=cached,
            parameters=_elements(path),
            seconds=round(time.perf_counter() - started, 3),
        )


def _fetch(case: str) -> nn.Module:
    """The model with its published weights.

    Raises:
        UserError: It has none, or they cannot be had.
    """
    scheme, _, reference = case.partition(":")
    try:
        if scheme == "timm":
            import timm

            with _no_vain_retries():
                return timm.create_model(reference, pretrained=True)
        if scheme == "torchvision":
            from torchvision import models

            model: nn.Module = models.get_model(reference, weights="DEFAULT")
            return model
    except Exception as error:  # hub, HTTP and file errors of three libraries
        raise UserError(
            f"the published weights of {case} cannot be had",
            why=_one_line(error),
            remedy="bring their state dict by other means and name it: models.NAME.checkpoint=FILE"
            ", or draw the weights: models.NAME.pretrained=false",
        ) from error
    raise UserError(
        f"there are no published weights of case '{case}'",
        why="only timm's and torchvision's models have some",
        remedy="name a state dict: models.NAME.checkpoint=FILE, or set models.NAME.pretrained=false",
    )


@contextmanager
def _no_vain_retries() -> Iterator[None]:
    """Inside the block, where the hub's name does not resolve, its library looks into its cache and gives up at once.

    Otherwise it tries for a minute per model.
    """
    from huggingface_hub import constants

    host = urlsplit(constants.ENDPOINT).hostname or ""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not (getproxies() or _resolves(host))
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, 443))
    except OSError:
        return False


def _elements(path: Path) -> int:
    from safetensors import safe_open

    total = 0
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            count = 1
            for length in file.get_slice(name).get_shape():
                count *= length
            total += count
    return total


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()).partition(". ")[0]
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
