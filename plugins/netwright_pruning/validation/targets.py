"""What Isomorphic Pruning published: models, costs and accuracies, each with the place where it can be read.

Fang, Ma, Bi Mi and Wang, "Isomorphic Pruning for Vision Models", ECCV 2024 (arXiv 2407.04616). The figures are those of
the authors' repository, github.com/VainF/Isomorphic-Pruning, where they can be checked against the released models. Its
scripts name more models (ResNet, MobileNet-v2, Swin) whose published figures could not be confirmed: they are left out.
"""

from netwright.result import Record

TABLE = 'github.com/VainF/Isomorphic-Pruning, README.md, table "Download our pruned models"'
SCRIPTS = "scripts/pruning/{}.sh of the same repository"


class PaperTarget(Record):
    """One published model."""

    name: str
    """As published."""
    model_name: str
    """The unpruned model, as timm calls it."""
    macs: float
    """Of the pruned model, one image of 224 x 224 pixels."""
    parameters: float
    """Of the pruned model."""
    top_1: float
    """Its accuracy on ImageNet-1K after fine-tuning, as a fraction."""
    source: str
    """Table and row."""
    model_source: str
    """Where the unpruned model is named."""
    note: str = ""
    """In what the published procedure goes beyond removing channels."""


def _row(
    name: str, script: str, model: str, macs: float, parameters: float, top_1: float, note: str = ""
) -> PaperTarget:
    """A row in the table's units: G, M and percent."""
    return PaperTarget(
        name=name,
        model_name=model,
        macs=macs * 1e9,
        parameters=parameters * 1e6,
        top_1=top_1 / 100,
        source=f"{TABLE}, row {name}",
        model_source=SCRIPTS.format(script),
        note=note,
    )


DEIT, CONVNEXT = "deit_{}_distilled_patch16_224.fb_in1k", "convnext_base.fb_in1k"
HEAD_DIMS = "the published model lost dimensions of its heads besides whole heads"
ABSTRACT = f"{HEAD_DIMS}; the paper's abstract says that DeiT-Base was pruned, the script prunes DeiT-Small"
BLOCKS = "the published model lost 18 whole blocks, too"

PUBLISHED: tuple[PaperTarget, ...] = (
    _row("DeiT-4.2G", "deit_4.2G", DEIT.format("base"), 4.16, 20.69, 82.41, HEAD_DIMS),
    _row("DeiT-2.6G", "deit_2.6G", DEIT.format("base"), 2.61, 13.07, 81.13, HEAD_DIMS),
    _row("DeiT-1.2G", "deit_1.2G", DEIT.format("small"), 1.21, 5.74, 77.50, ABSTRACT),
    _row("DeiT-0.6G", "deit_0.6G", DEIT.format("tiny"), 0.62, 3.08, 72.60, HEAD_DIMS),
    _row("ConvNext-S-8.5G", "convnext_8.5G", CONVNEXT, 8.48, 47.36, 83.17),
    _row("ConvNext-T-4.2G", "convnext_4.2G", CONVNEXT, 4.19, 25.32, 82.19, BLOCKS),
)
