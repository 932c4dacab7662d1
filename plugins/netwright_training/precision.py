"""Automatic mixed precision, where the device has it."""

import torch

from netwright.context import current_run
from netwright.errors import UserError
from netwright_training.config import Precision

AUTOCAST_TYPES = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def usable_precision(asked: Precision, device: torch.device) -> Precision:
    """What to train in on that device: full precision, with a warning, off CUDA.

    Raises:
        UserError: The CUDA device has no bfloat16.
    """
    if asked != "off" and device.type != "cuda":
        current_run().warn(f"train.amp={asked} works on CUDA only: training in full precision on {device}")
        return "off"
    if asked == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError("train.amp cannot be bf16", why=f"{device} has no bfloat16", remedy="choose fp16 or off")
    return asked
