"""The arguments that a structure text shows of a module: read as values, by name."""

import ast
import re
from collections.abc import Iterator

Value = int | float | bool | str | None | tuple["Value", ...] | list["Value"]

POSITIONAL = {
    "Embedding": ("num_embeddings", "embedding_dim"),
    "EmbeddingBag": ("num_embeddings", "embedding_dim"),
    "Conv1d": ("in_channels", "out_channels"),
    "Conv2d": ("in_channels", "out_channels"),
    "Conv3d": ("in_channels", "out_channels"),
    "ConvTranspose1d": ("in_channels", "out_channels"),
    "ConvTranspose2d": ("in_channels", "out_channels"),
    "ConvTranspose3d": ("in_channels", "out_channels"),
    "LayerNorm": ("normalized_shape",),
    "RMSNorm": ("normalized_shape",),
    "BatchNorm1d": ("num_features",),
    "BatchNorm2d": ("num_features",),
    "BatchNorm3d": ("num_features",),
    "GroupNorm": ("num_groups", "num_channels"),
    "LSTM": ("input_size", "hidden_size"),
    "GRU": ("input_size", "hidden_size"),
    "RNN": ("input_size", "hidden_size"),
}
"""What the first arguments mean that PyTorch's own classes show without a name."""
KEYWORD = re.compile(r"([\w.-]+)=(.*)", re.DOTALL)
SHAPE = re.compile(r"Parameter\(([\d, ]*)\)")
OPENING, CLOSING = "([{", ")]}"


def named_arguments(class_name: str, text: str) -> dict[str, Value]:
    """The arguments in `text` by name."""
    values: dict[str, Value] = {}
    names = iter(POSITIONAL.get(class_name, ()))
    for part in _parts(text):
        keyword = KEYWORD.fullmatch(part)
        name = keyword[1] if keyword else next(names, None)
        if name is not None:
            values[name] = _value(keyword[2] if keyword else part)
    return values


def _parts(text: str) -> Iterator[str]:
    """The text cut at its outermost commas and line ends."""
    depth, quote, start = 0, "", 0
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[position - 1] != "\\" else quote
        elif letter in "'\"":
            quote = letter
        elif letter in OPENING:
            depth += 1
        elif letter in CLOSING:
            depth -= 1
        elif letter in ",\n" and depth <= 0:
            yield text[start:position].strip()
            start = position + 1
    if text[start:].strip():
        yield text[start:].strip()


def _value(text: str) -> Value:
    shape = SHAPE.fullmatch(text)
    if shape:
        return tuple(int(size) for size in shape[1].split(",") if size.strip())
    try:
        value: Value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # no literal: a class, a function
        return text
    return value
