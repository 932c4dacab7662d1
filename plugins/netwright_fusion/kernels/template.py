"""What a kernel template is: it finds the nodes that one kernel can compute, and writes that kernel."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from torch import fx

from netwright.errors import NetwrightError
from netwright_fusion.kernels.loading import load
from netwright_fusion.kernels.region import Region, replace_region
from netwright_fusion.kernels.tuning import fastest, is_tunable

Config = Mapping[str, int]
"""What may be tuned: block sizes in capitals, `num_warps`, `num_stages`."""
INTERPRETED = 1 << 16
"""Elements per program under Triton's interpreter."""


class UnsupportedError(NetwrightError):
    """A template has no kernel for this site, for a reason that is told."""


@dataclass(frozen=True)
class KernelCall:
    """One generated kernel with its launch: what stands in a graph for the nodes that it computes."""

    name: str
    """The wrapper's name in `source`."""
    source: str
    """Kernels and wrapper `def name(tensors...)`; needs `import torch, triton, triton.language as tl` before it."""
    kernels: tuple[str, ...]
    """Names of the kernels, as a profile shows them."""
    config: Config
    """The constants written into `source`."""
    family: str
    """Name of the template."""
    dtypes: tuple[str, ...]
    """Element types of the inputs, in order, such as "float32": those that the source was written for."""
    reference: fx.GraphModule = field(compare=False, repr=False)
    """The nodes that the kernel stands for, as a module of the same inputs and outputs."""
    bytes_removed: int = 0
    """Memory traffic saved per call at the captured sizes: what was stored and loaded again between the nodes."""

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The wrapper, loaded from `source`.

        Raises:
            UserError: Triton is not installed.
        """
        return load(self.source, self.name)


@dataclass(frozen=True)
class KernelSite:
    """Nodes that one kernel can compute."""

    name: str
    """Stable text, such as "layer_norm + gelu at 'layer_norm_1'"."""
    region: Region
    core: fx.Node
    """The node around which the kernel is built."""


def alike(left: str, right: str) -> bool:
    """Whether two sources differ in the names that they give to things, and in nothing else.

    Numbers, signs and what stands behind a dot must be the same; names must correspond one to one.
    """
    first, second = (re.findall(r"\.?\w+|[^\w\s]", text) for text in (left, right))
    if len(first) != len(second):
        return False
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    for one, other in zip(first, second, strict=True):
        if one != other and not (one.isidentifier() and other.isidentifier()):
            return False
        if there.setdefault(one, other) != other or back.setdefault(other, one) != one:
            return False
    return True


class KernelTemplate(ABC):
    """A family of kernels."""

    name: ClassVar[str]
    reason: ClassVar[str]
    """Why such a kernel can be faster, in a sentence."""

    @abstractmethod
    def sites(self, graph: fx.GraphModule) -> Iterator[KernelSite]:
        """Where one kernel of this family could stand, each site as large as it can be, in the graph's order.

        Sites may overlap: after `apply`, ask again.
        """

    @abstractmethod
    def configs(self, site: KernelSite) -> tuple[Config, ...]:
        """What is worth measuring on a GPU, the default first."""

    @abstractmethod
    def interpreted(self, site: KernelSite) -> Config:
        """Block sizes for Triton's interpreter, which pays by the program and not by the element."""

    @abstractmethod
    def build(self, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        """The kernel for a site; the graph stays as it is.

        Args:
            config: One of `configs`, or another one of the same keys; the default where None.
            name: The wrapper's name; by default made of the operators'.

        Raises:
            UnsupportedError: There turns out to be none.
        """

    def tuned(self, site: KernelSite) -> Config:
        """The fastest configuration on the site's GPU; on the CPU, large blocks for the interpreter.

        Raises:
            UnsupportedError: See `build`.
        """
        configs = self.configs(site)
        if not is_tunable(site.core):
            return {name: max(number, self.interpreted(site).get(name, 0)) for name, number in configs[0].items()}
        calls = [self.build(site, config) for config in configs]
        return configs[fastest([(call.source, call.name) for call in calls], site.region.inputs)]

    def apply(self, graph: fx.GraphModule, site: KernelSite, config: Config | None = None) -> KernelCall:
        """Replace a site's nodes by a call of its kernel, which the new node carries as `meta["kernel"]`.

        Without a configuration, the fastest one is measured, where the kernel would run on a GPU that is here.

        A kernel that the graph already calls, whatever its names are, is called again.

        Raises:
            UnsupportedError: See `build`; the graph is unchanged.
        """
        config = config or self.tuned(site)
        call = self.build(site, config)
        present = [node.meta["kernel"] for node in graph.graph.nodes if "kernel" in node.meta]
        same = next((each for each in present if alike(each.source, call.source)), None)
        if same is not None:
            call = same
        elif any(each.name == call.name for each in present):
            taken = {each.name for each in present}
            number = next(number for number in range(2, len(taken) + 3) if f"{call.name}_{number}" not in taken)
            call = self.build(site, config, f"{call.name}_{number}")
        replace_region(graph, site.region, call.function, {"kernel": call})
        return call
