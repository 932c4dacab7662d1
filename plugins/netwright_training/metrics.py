"""Metrics over a whole evaluation split: functions of the model's outputs and the targets."""

import torch
from torch import Tensor


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Top-1 accuracy: the share of samples whose highest score is that of their class.

    Args:
        outputs: Scores of shape (samples, classes).
        targets: Class numbers of shape (samples,).
    """
    return (outputs.argmax(dim=1) == targets).double().mean().item()


def top_5_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """The share of samples whose class is among the five highest scores, or among all where there are fewer.

    Shapes as for `accuracy`.
    """
    highest = outputs.topk(min(5, outputs.shape[1]), dim=1).indices
    return (highest == targets.unsqueeze(1)).any(dim=1).double().mean().item()


def f1_macro(outputs: Tensor, targets: Tensor) -> float:
    """The unweighted mean over classes of F1 = 2·TP / (2·TP + FP + FN).

    Classes that are neither predicted nor present do not count. Shapes as for `accuracy`.
    """
    count = outputs.shape[1]
    predictions = outputs.argmax(dim=1)
    predicted = torch.bincount(predictions, minlength=count)
    present = torch.bincount(targets, minlength=count)
    hits = torch.bincount(targets[predictions == targets], minlength=count)
    counts = predicted + present  # = 2·TP + FP + FN
    return (2 * hits[counts > 0].double() / counts[counts > 0]).mean().item()


def mse(outputs: Tensor, targets: Tensor) -> float:
    """Mean squared error over samples and outputs, both of shape (samples, outputs)."""
    return (outputs.double() - targets.double()).square().mean().item()
