"""Devices by name: "cpu", "cuda", "cuda:1", or "auto" for CUDA where there is one."""

from netwright.errors import UserError


def resolve_device(name: str, *, setting: str = "device") -> str:
    """The name of a device that is there, with "auto" resolved; torch is imported only to look for CUDA.

    Args:
        setting: The key under which the user set it, for the message.

    Raises:
        UserError: The name means no device, or this machine has no such one.
    """
    if name == "cpu":
        return name
    kind, separator, index = name.partition(":")
    if name != "auto" and (kind != "cuda" or (separator and not index.isdecimal())):
        raise UserError(f"no device named '{name}'", why="known: cpu, cuda, cuda:N, auto")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if count else "cpu"
    if int(index or 0) < count:
        return name
    why = f"this machine has {count}, numbered from 0" if count else "PyTorch sees none on this machine"
    raise UserError(f"no CUDA device for '{name}'", why=why, remedy=f"{setting}=cpu, or auto")
