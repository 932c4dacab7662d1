"""Checkpoints: the best and the last weights, and all that a resumed training needs."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from netwright.errors import UserError
from netwright.files import replace_file

State = dict[str, Any]


class Checkpoints:
    """The files of one training in a folder.

    `best.safetensors` and `last.safetensors` hold weights for others to read. `last.pt` alone is what a resumed
    training starts from: one file, so that a kill between two writes can never leave halves of different epochs.
    """

    def __init__(self, folder: Path) -> None:
        self.best_weights = folder / "best.safetensors"
        self.last_weights = folder / "last.safetensors"
        self.last_state = folder / "last.pt"

    def save_best(self, weights: Mapping[str, Tensor]) -> None:
        """Write `best.safetensors`.

        Raises:
            UserError: The folder cannot be written, or the disk is full; the file is then as it was.
        """
        save_weights(self.best_weights, weights)

    def save_last(self, weights: Mapping[str, Tensor], state: State) -> None:
        """Write `last.safetensors` and `last.pt`; raises as `save_best`."""
        save_weights(self.last_weights, weights)
        # By way of memory: torch's own writer hides why a disk does not take the bytes.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with replace_file(self.last_state) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def load_last(self, device: torch.device, settings: Mapping[str, Any]) -> State | None:
        """What `save_last` wrote, with tensors on `device`; None when there is nothing yet.

        Args:
            settings: What the state's own "settings" must be equal to.

        Raises:
            UserError: The file is damaged, or belongs to a training with other settings.
        """
        try:
            state = torch.load(self.last_state, map_location=device, weights_only=True)
        except FileNotFoundError:
            return None
        except Exception as error:  # an unpickler may stumble over arbitrary bytes in any way
            raise self._damaged(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
        if not isinstance(state, dict) or "settings" not in state:
            raise self._damaged("it holds something else")
        before, now = _flat(state["settings"]), _flat(settings)
        for key in [*now, *before]:
            if before.get(key) != now.get(key):
                raise UserError(
                    f"{self.last_state} belongs to another training",
                    why=f"{key} was {before.get(key)!r} and is {now.get(key)!r}",
                    remedy="choose another folder, or the same settings",
                )
        return state

    def _damaged(self, why: str) -> UserError:
        return UserError(
            f"{self.last_state} is no checkpoint, or a damaged one", why=why, remedy="remove it to start again"
        )


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a state dict as safetensors, whole; raises as `replace_file`."""
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    content = save({name: tensor.detach().cpu().clone().contiguous() for name, tensor in weights.items()})
    with replace_file(path) as temporary:
        temporary.write_bytes(content)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value})
    return flat
