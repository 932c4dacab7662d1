"""Tests of looking at what a call returned."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from netwright.harness.observe import as_tensor, digest, flatten, leaf_facts


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


@dataclass
class Output:
    logits: Tensor
    loss: float | None = None


class Cache:
    def __init__(self) -> None:
        self.keys = [torch.ones(1), torch.ones(2)]
        self.owner = self


X = torch.ones(2)


@pytest.mark.parametrize(
    ("value", "described", "leaves"),
    [
        (X, "tensor", 1),
        ((X, [X, None]), "tuple[tensor, list[tensor, NoneType None]]", 2),
        ({"a": X, "b": 3}, "dict{'a': tensor, 'b': int 3}", 1),
        (OrderedDict(a=X), "collections.OrderedDict{'a': tensor}", 1),
        (Pair(X, X), f"{__name__}.Pair[tensor, tensor]", 2),
        (Output(X), f"{__name__}.Output{{logits: tensor, loss: NoneType None}}", 1),
        (0.5, "float", 1),
        (Cache(), f"{__name__}.Cache{{keys: list[tensor, tensor], owner: {__name__}.Cache again}}", 2),
    ],
)
def test_what_a_call_returns_is_described_with_its_types(value: object, described: str, leaves: int) -> None:
    text, found = flatten(value)
    assert text == described
    assert len(found) == leaves


def test_the_facts_of_a_tensor() -> None:
    facts = leaf_facts(torch.zeros(2, 3, dtype=torch.int64).t(), {})
    assert facts.model_dump() == {
        "type": "torch.Tensor",
        "dtype": "int64",
        "shape": (3, 2),
        "strides": (1, 3),
        "device": "cpu",
        "aliases": (),
    }


def test_strides_of_single_elements_mean_nothing() -> None:
    one = torch.zeros(4, 1)
    assert leaf_facts(one.as_strided((4, 1), (1, 77)), {}).strides == leaf_facts(one, {}).strides


def test_a_parameter_is_not_a_plain_tensor() -> None:
    assert leaf_facts(nn.Parameter(X), {}).type == "torch.nn.parameter.Parameter"


def test_views_and_foreign_wrappers_of_an_input_share_its_memory() -> None:
    given = torch.zeros(10)
    state = {"input 0": given, "input 1": torch.zeros(10)}
    for shared in (given, given[3:5], given.view(2, 5).t(), torch.from_numpy(given.numpy()[4:])):
        assert leaf_facts(shared, state).aliases == ("input 0",)
    assert leaf_facts(given.clone(), state).aliases == ()


def test_a_digest_tells_every_bit() -> None:
    values = torch.tensor([0.0, 1.0])
    assert digest(values) == digest(values.clone())
    assert digest(values) != digest(torch.tensor([-0.0, 1.0]))
    assert digest(torch.tensor([torch.nan])) == digest(torch.tensor([torch.nan]))
    for other in (torch.tensor(True), torch.tensor([1j]), torch.zeros(0), torch.ones(2, dtype=torch.bfloat16)):
        assert digest(other) == digest(other.clone())


def test_a_leaf_becomes_a_copy() -> None:
    assert as_tensor(0.1).item() == 0.1
    copy = as_tensor(X)
    assert torch.equal(copy, X)
    assert copy.data_ptr() != X.data_ptr()
