"""Cases from torchvision's classifiers: `torchvision:NAME`."""

from functools import partial
from typing import Any, get_type_hints

import torchvision
from torchvision import models

from netwright.cases import Case, CaseOptions
from netwright.cases.constants import split_settings
from netwright.errors import unknown_name
from netwright_zoo.images import ImageOptions, image_case


def load_torchvision_case(reference: str, options: CaseOptions) -> Case:
    """The case of a torchvision classifier with random weights, in eval mode unless told otherwise.

    Args:
        reference: The model's name in torchvision, e.g. "resnet50".
        options: `constants` may hold `batch_size`, `image_size` and any argument of the model's constructor, such as
            `num_classes`, or `weights: DEFAULT` for the published weights (from the network).

    Raises:
        UserError: torchvision has no such classifier, or the model no such argument; the nearest name is shown.
    """
    names = models.list_models(module=models)
    if reference not in names:
        raise unknown_name("torchvision classifier", reference, names)
    settings, overrides = split_settings(ImageOptions, options.constants)
    builder = models.get_model_builder(reference)
    size = settings.image_size or _default_size(reference)
    kwargs = {"weights": None, **_size_arguments(builder.__module__, size), **overrides}
    return image_case(
        f"torchvision:{reference}",
        partial(models.get_model, reference),
        kwargs,
        (settings.batch_size, 3, size, size),
        options,
        module_class=lambda: get_type_hints(builder)["return"],
        collection=f"torchvision {torchvision.__version__}",
    )


def _default_size(name: str) -> int:
    """The least image size among the published weights: larger ones were fine-tuned at more than the model's own."""
    sizes: list[int] = [weights.transforms.keywords["crop_size"] for weights in models.get_model_weights(name)]
    return min(sizes)


def _size_arguments(module: str, size: int) -> dict[str, Any]:
    """How the models of a module are told the image size, where they are built for one."""
    match module:
        case "torchvision.models.vision_transformer":
            return {"image_size": size}
        case "torchvision.models.maxvit":
            return {"input_size": (size, size)}
    return {}
