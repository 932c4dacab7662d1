"""Kernels one after the other in one file, what several of them call written once."""

from collections.abc import Sequence

from netwright_fusion.kernels.elementwise import HELPERS
from netwright_fusion.kernels.template import KernelCall


def listing(calls: Sequence[KernelCall]) -> list[str]:
    """The sources of kernels in order; a helper that several of them call stands before the first."""
    written: set[str] = set()
    texts = []
    for call in calls:
        text = call.source
        for name, helper in HELPERS.items():
            if helper in text:
                text = text.replace(helper, "") if name in written else text
                written.add(name)
        texts.append(text.lstrip("\n"))
    return texts
