"""The hook specification that this plugin adds to netwright's own: datasets."""

import pluggy

from netwright_training.specs import DatasetSpec

hookspec = pluggy.HookspecMarker("netwright")


@hookspec
def netwright_datasets() -> list[DatasetSpec]:
    """Datasets that this plugin brings: what models are trained and evaluated on, by `name` in a case's `data`."""
