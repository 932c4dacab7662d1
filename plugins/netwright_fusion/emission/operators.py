"""Python text for one ATen call, as a person would write it; `torch.ops.aten` where nobody would.

Every line of the tables is held against a trace of the text that it makes: see the tests.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from netwright_fusion.emission.literal import Literals
from netwright_fusion.graph import arguments, is_helper, names, operator_name

INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "matmul": "@",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "bitwise_and": "&",
    "bitwise_or": "|",
    "bitwise_xor": "^",
    "__and__": "&",
    "__or__": "|",
    "__xor__": "^",
    "__lshift__": "<<",
    "__rshift__": ">>",
}
FUNCTIONAL = names(
    """adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d bilinear celu
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d elu gelu group_norm hardsigmoid hardswish
    hardtanh layer_norm leaky_relu linear logsigmoid max_pool1d max_pool2d max_pool3d mish pixel_shuffle
    pixel_unshuffle prelu relu relu6 rms_norm selu silu softplus scaled_dot_product_attention"""
)
"""Of torch.nn.functional, with the operator's own arguments by the same names."""
RENAMED = {
    "log_sigmoid": "logsigmoid",
    "__iand__": "bitwise_and_",
    "__ior__": "bitwise_or_",
    "__ixor__": "bitwise_xor_",
    "__ilshift__": "bitwise_left_shift_",
    "__irshift__": "bitwise_right_shift_",
}
MAY_BE_SCALAR = names("stride padding dilation output_padding kernel_size output_size")
"""Arguments whose equal sizes may be one number."""
METHODS = names(
    """abs contiguous cos detach exp expand expand_as flatten log masked_fill neg permute repeat repeat_interleave
    reshape rsqrt select sigmoid sin sqrt square squeeze tanh transpose type_as unsqueeze view unfold clone"""
)
"""Called on their first argument, with the rest by position."""
REDUCTIONS = names(
    "sum mean amax amin argmax argmin logsumexp cumsum cumprod any all prod var std softmax log_softmax max min"
)
OVERRIDDEN = frozenset(getattr(torch.functional, "__all__", ())) | names("split norm unique stft istft lu dropout")
"""Names that torch overrides in Python with other arguments."""


class Writer:
    """Writes calls.

    Args:
        literals: Writes their arguments.
    """

    def __init__(self, literals: Literals) -> None:
        self._literal = literals

    def expression(self, node: fx.Node) -> str:
        """The text of a call, without what it is assigned to.

        Raises:
            EmissionError: An argument cannot be written down.
        """
        kernel = node.meta.get("kernel")
        if kernel is not None:
            return f"{kernel.name}({', '.join(map(self._literal, node.args))})"
        if is_helper(node):
            return self.call(operator_name(node), node.args, dict(node.kwargs))
        if not hasattr(node.target, "_schema"):
            return self._python_call(node)
        name = operator_name(node)
        special = _SPECIAL.get(name)
        text = special(self, arguments(node)) if special else None
        return text or self._by_table(name, node) or self._plain(node)

    def text(self, value: Any) -> str:
        """The text of an argument."""
        return self._literal(value)

    def arithmetic(self, value: Any) -> str:
        """The text of an operand: a negative number in parentheses where it would bind otherwise."""
        text = self._literal(value)
        return f"({text})" if text.startswith("-") or " " in text else text

    def call(self, function: str, positional: Sequence[Any], keywords: dict[str, Any]) -> str:
        """A call's text; keywords that are None are left out."""
        parts = [self._literal(value) for value in positional]
        parts += [f"{name}={self._literal(value)}" for name, value in keywords.items()]
        return f"{function}({', '.join(parts)})"

    def _python_call(self, node: fx.Node) -> str:
        name = operator_name(node)
        if name == "getitem":
            return f"{self._literal(node.args[0])}[{self._literal(node.args[1])}]"
        signs = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "truediv": "/", "neg": "-"}
        if name in signs and len(node.args) == 2:
            return f"{self.arithmetic(node.args[0])} {signs[name]} {self.arithmetic(node.args[1])}"
        if name in ("sym_max", "sym_min", "sym_int", "sym_float", "sym_sqrt", "sym_sum", "sym_not"):
            return self.call(f"torch.{name}", node.args, dict(node.kwargs))
        return self._plain(node)

    def _by_table(self, name: str, node: fx.Node) -> str | None:
        given = arguments(node)
        values = list(given.values())
        overload = node.target._overloadname  # type: ignore[union-attr]
        if name in INFIX and overload in ("Tensor", "Scalar", "default") and given.get("alpha", 1) == 1:
            return f"{self.arithmetic(values[0])} {INFIX[name]} {self.arithmetic(values[1])}"
        if overload.endswith("out") or "names" in overload or "Dimname" in overload:
            return None
        name = RENAMED.get(name, name)
        if name in FUNCTIONAL:
            return self._functional(name, node)
        if name in REDUCTIONS and isinstance(values[0], fx.Node):
            return self.call(f"torch.{name}", values[:1], _set(node, skip=1))
        if name in METHODS and isinstance(values[0], fx.Node):
            return self._method(name, node)
        if name.endswith("_") and hasattr(Tensor, name) and not node.kwargs:
            return self._method(name, node)
        if name not in OVERRIDDEN and "reduction" not in given and callable(getattr(torch, name, None)):
            return self._torch_function(name, node)
        return None

    def _functional(self, name: str, node: fx.Node) -> str | None:
        given = arguments(node)
        leading = _tensors_first(given)
        rest = {key: each for key, each in _set(node, skip=len(leading)).items() if not key.startswith("cudnn")}
        if name == "elu" and ("scale" in rest or "input_scale" in rest):
            return None
        positional = [given[key] for key in leading]
        while positional[-1] is None:
            positional.pop()
        for key, value in list(rest.items()):
            if key in MAY_BE_SCALAR and isinstance(value, (list, tuple)):
                if not value:
                    del rest[key]
                elif len({str(each) for each in value}) == 1:
                    rest[key] = value[0]
        sizes = [key for key in ("kernel_size", "output_size", "normalized_shape", "num_groups") if key in rest]
        return self.call(f"F.{name}", [*positional, *(rest.pop(key) for key in sizes)], rest)

    def _method(self, name: str, node: fx.Node) -> str:
        first, *rest = node.args
        if name in ("view", "reshape", "expand", "permute", "repeat") and len(rest) == 1 and isinstance(rest[0], list):
            rest = list(rest[0]) or rest
        return self.call(f"{self.arithmetic(first)}.{name}", rest, dict(node.kwargs))

    def _torch_function(self, name: str, node: fx.Node) -> str:
        ignored = {"pin_memory": (None, False), "layout": (None, torch.strided), "device": (None,), "dtype": (None,)}
        keywords = {key: value for key, value in node.kwargs.items() if key not in ignored or value not in ignored[key]}
        return self.call(f"torch.{name}", node.args, keywords)

    def _plain(self, node: fx.Node) -> str:
        target = node.target
        if hasattr(target, "_schema"):
            packet = target.overloadpacket  # type: ignore[union-attr]
            whole = f"torch.ops.{target.namespace}.{packet.__name__}.{target._overloadname}"  # type: ignore[union-attr]
        else:
            whole = f"{getattr(target, '__module__', '')}.{getattr(target, '__name__', target)}".removeprefix("_")
        return self.call(whole, node.args, dict(node.kwargs))


def _set(node: fx.Node, *, skip: int) -> dict[str, Any]:
    """The arguments from the one of that number on that differ from their defaults."""
    schema = node.target._schema  # type: ignore[union-attr]
    given = arguments(node)
    found = {}
    for argument in schema.arguments[skip:]:
        default = argument.default_value if argument.has_default_value() else ...
        if not _same(given[argument.name], default):
            found[argument.name] = given[argument.name]
    return found


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, fx.Node) or default is ...:
        return False
    if isinstance(value, (list, tuple)):
        expected = list(default) if isinstance(default, (list, tuple)) else [default] * len(value)
        return len(expected) == len(value) and all(map(_same, value, expected))
    return type(value) is type(default) and bool(value == default)


def _tensors_first(given: dict[str, Any]) -> list[str]:
    """The names of the leading arguments that are tensors, or None where a tensor may stand."""
    leading = []
    for name, value in given.items():
        if isinstance(value, fx.Node) or (value is None and name in ("weight", "bias")):
            leading.append(name)
        else:
            break
    return leading


Given = dict[str, Any]
Special = Callable[[Writer, Given], "str | None"]


def _linear_index(writer: Writer, source: Any, dim: int, item: str) -> str:
    if dim < 0:
        rank = source.meta["val"].dim()
        return f"{writer.text(source)}[..., {item}]" if dim == -1 and rank > 1 else ""
    return f"{writer.text(source)}[{':, ' * dim}{item}]"


def _slice(writer: Writer, given: Given) -> str | None:
    start, end = given["start"], given["end"]
    last = isinstance(end, int) and end == 2**63 - 1
    part = slice(None if start == 0 else start, None if last else end, given["step"])
    return _linear_index(writer, given["self"], given["dim"], writer.text(part)) or None


def _index(writer: Writer, given: Given) -> str:
    items = [":" if each is None else writer.text(each) for each in given["indices"]]
    return f"{writer.text(given['self'])}[{', '.join(items)}]"


def _pow(writer: Writer, given: Given) -> str:
    left, right = list(given.values())[:2]
    return f"{writer.arithmetic(left)} ** {writer.arithmetic(right)}"


def _rsub(writer: Writer, given: Given) -> str | None:
    if given["alpha"] != 1 or isinstance(given["other"], fx.Node):
        return None
    return f"{writer.arithmetic(given['other'])} - {writer.text(given['self'])}"


def _embedding(writer: Writer, given: Given) -> str:
    padding = {"padding_idx": given["padding_idx"]} if given["padding_idx"] != -1 else {}
    return writer.call("F.embedding", [given["indices"], given["weight"]], padding)


def _batch_norm(writer: Writer, given: Given) -> str | None:
    if given["running_mean"] is None and not given["training"]:
        return None
    keywords = {key: given[key] for key in ("training", "momentum", "eps")}
    if not given["training"]:
        del keywords["training"], keywords["momentum"]
    leading = [given[key] for key in ("input", "running_mean", "running_var", "weight", "bias")]
    while leading[-1] is None:
        leading.pop()
    return writer.call("F.batch_norm", leading, keywords)


def _instance_norm(writer: Writer, given: Given) -> str:
    leading = [given[key] for key in ("input", "running_mean", "running_var", "weight", "bias")]
    while leading[-1] is None:
        leading.pop()
    keywords = {key: given[key] for key in ("momentum", "eps")}
    if not given["use_input_stats"]:
        keywords["use_input_stats"] = False
    return writer.call("F.instance_norm", leading, keywords)


def _dropout(writer: Writer, given: Given) -> str:
    return writer.call("F.dropout", [given["input"]], {"p": given["p"], "training": given["train"]})


def _to(writer: Writer, given: Given) -> str | None:
    wanted = {"dtype", "self"} | {key for key, value in given.items() if value is None or value is False}
    if set(given) - wanted - {"non_blocking", "copy"}:
        return None
    return f"{writer.text(given['self'])}.to({writer.text(given['dtype'])})"


def _einsum(writer: Writer, given: Given) -> str | None:
    if given.get("path") is not None:
        return None
    return writer.call("torch.einsum", [given["equation"], *given["tensors"]], {})


def _divide(writer: Writer, given: Given) -> str | None:
    if given.get("rounding_mode") is None:
        return None
    return writer.call("torch.div", [given["self"], given["other"]], {"rounding_mode": given["rounding_mode"]})


def _size(writer: Writer, given: Given) -> str:
    return f"{writer.text(given['self'])}.shape[{given['dim']}]"


def _split(writer: Writer, given: Given) -> str:
    source, sizes, dim = list(given.values())[:3]
    return writer.call("torch.split", [source, sizes], {"dim": dim} if dim else {})


def _pad(writer: Writer, given: Given) -> str:
    mode = given.get("mode", "constant")
    keywords = {} if mode == "constant" else {"mode": mode}
    if given["value"] is not None:
        keywords["value"] = given["value"]
    return writer.call("F.pad", [given["self"], given["pad"]], keywords)


def _loss(function: str) -> Special:
    """Of two tensors, with a numbered reduction."""

    def write(writer: Writer, given: Given) -> str | None:
        known = {"reduction", "label_smoothing", "ignore_index"}
        if any(value is not None and key not in known for key, value in list(given.items())[2:]):
            return None
        keywords: Given = {} if given["reduction"] == 1 else {"reduction": ("none", "mean", "sum")[given["reduction"]]}
        if given.get("label_smoothing"):
            keywords["label_smoothing"] = given["label_smoothing"]
        if given.get("ignore_index", -100) != -100:
            keywords["ignore_index"] = given["ignore_index"]
        return writer.call(f"F.{function}", list(given.values())[:2], keywords)

    return write


def _with_indices(function: str) -> Special:
    """A pooling that also returns where its values were."""
    return lambda writer, given: writer.call(
        f"F.{function}", [given["self"], given["output_size"]], {"return_indices": True}
    )


def _clamp(writer: Writer, given: Given) -> str:
    limits = {key: given[key] for key in ("min", "max") if given[key] is not None}
    return writer.call("torch.clamp", [given["self"]], limits)


_SPECIAL: dict[str, Special] = {
    "slice": _slice,
    "index": _index,
    "pow": _pow,
    "rsub": _rsub,
    "embedding": _embedding,
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "dropout": _dropout,
    "to": _to,
    "einsum": _einsum,
    "div": _divide,
    "sym_size": _size,
    "split": _split,
    "split_with_sizes": _split,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "cross_entropy_loss": _loss("cross_entropy"),
    "mse_loss": _loss("mse_loss"),
    "l1_loss": _loss("l1_loss"),
    "adaptive_max_pool1d": _with_indices("adaptive_max_pool1d"),
    "adaptive_max_pool2d": _with_indices("adaptive_max_pool2d"),
    "clamp": _clamp,
}
