"""Conventions: what counts as a floating-point operation, said once and applied everywhere."""

from typing import Literal

from netwright.config import Config
from netwright_predictor.analyzers import attention

Attention = attention.Convention
"""Pairs of query and key: all; those that a causal mask admits; those that the window of a layer admits, too."""


class Convention(Config):
    """What is counted, and how."""

    attention: Attention = "full"
    """Which pairs of query and key count."""
    operations: Literal["matmul", "all"] = "matmul"
    """Matrix products, convolutions and attention; or additions, activations, normalisations and softmax as well."""
    unit: Literal["FLOP", "MAC"] = "FLOP"
    """A multiply-accumulate is 2 FLOPs or 1 MAC."""
    head: Literal["all", "last"] = "all"
    """The positions that go through the head (lm_head): all, or the last, as serving a prompt does."""

    def __str__(self) -> str:
        """The convention in words."""
        unit = "2 FLOPs per multiply-accumulate" if self.unit == "FLOP" else "1 MAC per multiply-accumulate"
        what = "matrix products, convolutions and attention"
        if self.operations == "all":
            what += ", and one per number for additions, activations, normalisations and softmax"
        pairs = {
            "full": "every query with every key, masked or not",
            "causal": "each query with the keys up to its own position",
            "window": "each query with the keys up to its own position and inside its layer's window",
        }[self.attention]
        head = "every position through the head" if self.head == "all" else "only the last position through the head"
        return f"{unit} of {what}; attention: {pairs}; {head}"
