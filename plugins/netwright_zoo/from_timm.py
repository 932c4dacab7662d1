"""Cases from timm: `timm:NAME`."""

from functools import partial

import timm

from netwright.cases import Case, CaseOptions
from netwright.cases.constants import split_settings
from netwright.errors import unknown_name
from netwright_zoo.images import ImageOptions, image_case, skeleton


def load_timm_case(reference: str, options: CaseOptions) -> Case:
    """The case of a timm model with random weights, in eval mode unless told otherwise.

    Args:
        reference: The model's name in timm, e.g. "resnet18".
        options: `constants` may hold `batch_size`, `image_size` and any argument of the model's constructor, such as
            `num_classes`, `in_chans`, or `pretrained: true` for the published weights (from the network).

    Raises:
        UserError: timm has no such model, or the model no such argument; the nearest name is shown.
    """
    if not timm.is_model(reference):
        raise unknown_name("timm model", reference, timm.list_models())
    settings, overrides = split_settings(ImageOptions, options.constants)
    config = timm.get_pretrained_cfg(reference)
    assert config is not None  # of a name that is_model knows
    channels, height, width = config.input_size
    kwargs = {"pretrained": False, **overrides}
    if settings.image_size is not None:
        height = width = settings.image_size
        if config.fixed_input_size:
            kwargs["img_size"] = settings.image_size
    create = partial(timm.create_model, reference)
    return image_case(
        f"timm:{reference}",
        create,
        kwargs,
        (settings.batch_size, overrides.get("in_chans", channels), height, width),
        options,
        module_class=lambda: type(skeleton(create, {})),
        collection=f"timm {timm.__version__}",
    )
