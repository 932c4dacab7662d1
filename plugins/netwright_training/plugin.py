"""What the training plugin registers: its metrics and its datasets."""

from netwright import hookimpl
from netwright.specs import MetricSpec
from netwright_training.specs import DatasetSpec

EXTRA = "netwright[training]"
FRACTIONS = ("validation_fraction", "test_fraction")

hookspecs = "netwright_training.hookspecs"


@hookimpl
def netwright_metrics() -> list[MetricSpec]:
    """Metrics over predictions."""
    return [
        MetricSpec(
            name="accuracy",
            summary="Top-1 accuracy",
            target="netwright_training.metrics:accuracy",
            unit="",
            direction="higher",
            of="predictions",
        ),
        MetricSpec(
            name="top_5_accuracy",
            summary="Share of samples whose class is among the five highest scores",
            target="netwright_training.metrics:top_5_accuracy",
            unit="",
            direction="higher",
            of="predictions",
        ),
        MetricSpec(
            name="f1_macro",
            summary="Unweighted mean of the classes' F1 scores",
            target="netwright_training.metrics:f1_macro",
            unit="",
            direction="higher",
            of="predictions",
        ),
        MetricSpec(
            name="mse",
            summary="Mean squared error of a regression",
            target="netwright_training.metrics:mse",
            unit="",
            direction="lower",
            of="predictions",
        ),
    ]


@hookimpl
def netwright_datasets() -> list[DatasetSpec]:
    """Datasets that ship with a package, lie in files, or are random."""
    return [
        DatasetSpec(
            name="digits",
            summary="1,797 real handwritten digits of 8 x 8 pixels, from scikit-learn",
            target="netwright_training.datasets.digits:load_digits",
            requires=("sklearn",),
            extra=EXTRA,
            settings=FRACTIONS,
        ),
        DatasetSpec(
            name="image_folder",
            summary="Image files in a folder per class, split by folders or by the seed",
            target="netwright_training.datasets.image_folder:load_image_folder",
            requires=("torchvision",),
            extra=EXTRA,
            settings=("root", "image_size", *FRACTIONS),
        ),
        DatasetSpec(
            name="csv",
            summary="A table: numeric features and a target column of classes or numbers",
            target="netwright_training.datasets.csv_table:load_csv",
            settings=("root", "target", "features", "task", *FRACTIONS),
        ),
        DatasetSpec(
            name="mnist",
            summary="70,000 handwritten digits of 28 x 28 pixels",
            target="netwright_training.datasets.mnist:load_mnist",
            requires=("torchvision",),
            extra=EXTRA,
            settings=("root", "download", "validation_fraction"),
        ),
        DatasetSpec(
            name="cifar10",
            summary="60,000 colour photographs of 32 x 32 pixels in ten classes",
            target="netwright_training.datasets.cifar10:load_cifar10",
            requires=("torchvision",),
            extra=EXTRA,
            settings=("root", "download", "validation_fraction"),
        ),
        DatasetSpec(
            name="imagenet",
            summary="ImageNet's folders train/ and val/",
            target="netwright_training.datasets.imagenet:load_imagenet",
            requires=("torchvision",),
            extra=EXTRA,
            settings=("root", "image_size", "validation_fraction"),
        ),
        DatasetSpec(
            name="dummy",
            summary="Random data of any shape from which something can be learnt",
            target="netwright_training.datasets.dummy:load_dummy",
            settings=("samples", "input_shape", "num_classes", "task", *FRACTIONS),
        ),
    ]
