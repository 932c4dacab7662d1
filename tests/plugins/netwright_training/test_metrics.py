"""The metrics agree with scikit-learn."""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, mean_squared_error, top_k_accuracy_score

from netwright_training.metrics import accuracy, f1_macro, mse, top_5_accuracy


@given(samples=st.integers(1, 60), classes=st.integers(2, 12), seed=st.integers(0, 2**31))
def test_classification_metrics_agree_with_scikit_learn(samples: int, classes: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    outputs = torch.randn(samples, classes, generator=random)
    targets = torch.randint(classes, (samples,), generator=random)
    predictions = outputs.argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes that are absent, and k as high as their number
        assert accuracy(outputs, targets) == pytest.approx(accuracy_score(targets, predictions))
        assert f1_macro(outputs, targets) == pytest.approx(f1_score(targets, predictions, average="macro"))
        if classes > 2:
            expected = top_k_accuracy_score(targets, outputs, k=min(5, classes), labels=range(classes))
            assert top_5_accuracy(outputs, targets) == pytest.approx(expected)


def test_top_5_of_two_classes_is_always_right() -> None:
    assert top_5_accuracy(torch.tensor([[1.0, 0.0]]), torch.tensor([1])) == 1.0


@given(samples=st.integers(1, 40), outputs=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_mse_agrees_with_scikit_learn(samples: int, outputs: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    guesses, targets = torch.randn(2, samples, outputs, generator=random)
    assert mse(guesses, targets) == pytest.approx(mean_squared_error(targets, guesses))
