"""What this plugin brings to netwright."""

from netwright import hookimpl
from netwright.specs import CaseSourceSpec


@hookimpl
def netwright_case_sources() -> list[CaseSourceSpec]:
    """Four schemes, each of which names a model without building it."""
    return [
        CaseSourceSpec(
            name="timm",
            summary="An image model of timm, with random weights",
            target="netwright_zoo.from_timm:load_timm_case",
            requires=("timm", "torchvision"),
            extra="netwright[vision]",
            examples=("timm:resnet18", "timm:deit_small_patch16_224"),
        ),
        CaseSourceSpec(
            name="torchvision",
            summary="An image classifier of torchvision, with random weights",
            target="netwright_zoo.from_torchvision:load_torchvision_case",
            requires=("torchvision",),
            extra="netwright[vision]",
            examples=("torchvision:resnet50",),
        ),
        CaseSourceSpec(
            name="hf",
            summary="A transformers model type, or a config.json, with random weights and without the hub",
            target="netwright_zoo.from_transformers:load_transformers_case",
            requires=("transformers",),
            extra="netwright[nlp]",
            examples=("hf:llama", "hf:path/to/config.json"),
        ),
        CaseSourceSpec(
            name="kernelbench",
            summary="A KernelBench problem file: Model, get_inputs() and get_init_inputs()",
            target="netwright_zoo.from_kernelbench:load_kernelbench_case",
            examples=("kernelbench:path/to/problem.py",),
        ),
    ]
