"""The text of a kernel and its launch wrapper, put together from its parts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from netwright_fusion.graph import dtype, elements, is_tensor
from netwright_fusion.kernels.body import Body
from netwright_fusion.kernels.elementwise import HELPERS
from netwright_fusion.kernels.operators import operator_name
from netwright_fusion.kernels.region import Region, reference_of
from netwright_fusion.kernels.signature import Signature
from netwright_fusion.kernels.template import Config, KernelCall, UnsupportedError
from netwright_fusion.kernels.views import is_view

INDENT = "    "
LAUNCH = frozenset({"num_warps", "num_stages"})


@dataclass
class KernelText:
    """One kernel and its wrapper, in the order in which they are read.

    Attributes:
        summary: What is computed, in a sentence.
        sizes: Run-time numbers of the kernel beside those of the signature, with what the wrapper passes.
        constants: Compile-time numbers, with what the wrapper passes.
        lines: The kernel's statements.
        grid: How many programs run, as text of the wrapper.
        before: Wrapper lines after the outputs are made, and `after` those behind the launch.
        result: What the wrapper returns; the outputs where empty.
    """

    name: str
    summary: str
    signature: Signature
    grid: tuple[str, ...]
    lines: list[str]
    helpers: set[str] = field(default_factory=set)
    sizes: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, int] = field(default_factory=dict)
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    result: str = ""

    def text(self) -> str:
        """The source."""
        parts = [HELPERS[name] for name in HELPERS if name in self.helpers]
        return "\n\n".join([*parts, self._kernel(), self._wrapper()])

    def _kernel(self) -> str:
        body = "\n".join(self.lines)
        used = set(re.findall(r"\w+", body))
        run_time = [*self.signature.parameters(body), *(size for size in self.sizes if size in used)]
        constants = [f"{name}: tl.constexpr" for name in self._constants()]
        head = _call_text(f"def {self.name}_kernel", [*run_time, *constants], ":")
        doc = f'"""{self.summary}"""'
        return "\n".join(["@triton.jit", head, *indented([doc, *self.lines])]) + "\n"

    def _wrapper(self) -> str:
        body = "\n".join(self.lines)
        used = set(re.findall(r"\w+", body))
        inputs = [operand.name for operand in self.signature.inputs.values()]
        outputs = [operand.name for operand in self.signature.outputs.values()]
        try:
            lines = [*self.signature.prepare(), *self.signature.allocate(), *self.before]
        except LookupError as error:
            raise UnsupportedError(f"the size {error} cannot be told from the inputs of '{self.name}'") from error
        arguments = [self.signature.argument(each) for each in self.signature.parameters(body)]
        arguments += [passed for size, passed in self.sizes.items() if size in used]
        wide = [f"WIDE={self.signature.reach()} >= 2**31"] if "WIDE" in used else []
        constants = [f"{name}={number}" for name, number in self.constants.items()]
        grid = ", ".join(self.grid) + "," * (len(self.grid) == 1)
        launch = _call_text(f"{self.name}_kernel[({grid})]", [*arguments, *wide, *constants], "")
        result = self.result or ", ".join(outputs)
        doc = f'"""{self.summary.partition(": ")[0].rstrip(".")}.{self._shapes()}"""'
        lines = [doc, *lines, *launch.split("\n"), *self.after, f"return {result}"]
        return "\n".join([f"def {self.name}({', '.join(inputs)}):", *indented(lines)]) + "\n"

    def _constants(self) -> list[str]:
        used = set(re.findall(r"\w+", "\n".join(self.lines)))
        return [*(["WIDE"] if "WIDE" in used else []), *(name for name in self.constants if name not in LAUNCH)]

    def _shapes(self) -> str:
        operands = [*self.signature.inputs.values(), *self.signature.outputs.values()]
        shapes = [
            f"    {each.name}: ({', '.join(map(str, each.sizes))}{',' * (len(each.sizes) == 1)})" for each in operands
        ]
        return "\n\n" + "\n".join(shapes) + "\n"


def _call_text(head: str, arguments: Sequence[str], tail: str) -> str:
    line = f"{head}({', '.join(arguments)}){tail}"
    if len(line) <= 110:
        return line
    return "\n".join([f"{head}(", *(f"{INDENT}{argument}," for argument in arguments), f"){tail}"])


def indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Lines, and the lines inside them, moved to the right."""
    return [f"{INDENT * depth}{line}" if line else "" for text in lines for line in text.split("\n")]


def in_order(offsets: Sequence[str], body: Body, stores: Sequence[str], masks: Sequence[str] = ()) -> list[str]:
    """Statements in the order of every kernel: offsets, masks, loads, computations, stores."""
    return [*offsets, *body.offsets, *masks, *body.masks, *body.loads, *body.computes, *stores]


def name_of(region: Region, limit: int = 4) -> str:
    """A name made of what a region computes, in order."""
    words = [operator_name(node).strip("_") for node in region.nodes if not is_view(node)]
    words = [re.sub(r"\W", "", word) for word in words if word and word != "getitem"]
    short = [word for number, word in enumerate(words) if number == 0 or words[number - 1] != word]
    if len(short) > limit:
        short = [*short[: limit - 1], "and_more"]
    return "_".join(["fused", *short])


def describe(region: Region) -> str:
    """What a region computes, for people: its operators in order."""
    words = [operator_name(node).strip("_") for node in region.nodes if not is_view(node)]
    return ", ".join(word for word in words if word and word != "getitem")


def kernel_call(
    text: KernelText, region: Region, family: str, config: Config, *, kernels: tuple[str, ...] = ()
) -> KernelCall:
    """The call for a kernel's text.

    Raises:
        UnsupportedError: See `KernelText.text`, or an input that the kernel never reads.
    """
    order = {node: number for number, node in enumerate(region.inputs)}
    if set(order) != set(text.signature.inputs):
        raise UnsupportedError(f"'{text.name}' does not read all that goes into its nodes")
    text.signature.inputs = dict(sorted(text.signature.inputs.items(), key=lambda item: order[item[0]]))
    text.signature.outputs = {node: text.signature.outputs[node] for node in region.outputs}
    return KernelCall(
        name=text.name,
        source=text.text(),
        kernels=kernels or (f"{text.name}_kernel",),
        config=dict(config),
        family=family,
        dtypes=tuple(str(dtype(node)).removeprefix("torch.") for node in region.inputs),
        reference=reference_of(region),
        bytes_removed=_bytes_removed(region),
    )


def _bytes_removed(region: Region) -> int:
    inside = [node for node in region.nodes if node not in region.outputs and is_tensor(node) and not is_view(node)]
    return sum(2 * elements(node) * dtype(node).itemsize for node in inside)
