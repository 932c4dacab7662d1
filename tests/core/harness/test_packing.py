"""Packing nested values."""

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from netwright.cases import Inputs
from netwright.harness.packing import NotPackableError, pack, unpack


def round_trip(value: Any) -> Any:
    structure, tensors = pack(value)
    return unpack(json.loads(json.dumps(structure)), tensors)


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, Inputs):
        return equal(left.args, right.args) and equal(left.kwargs, right.kwargs)
    if isinstance(left, list | tuple):
        return type(left) is type(right) and len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(equal(left[name], right[name]) for name in left)
    return type(left) is type(right) and bool(left == right)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.lists(st.integers(0, 3), max_size=3).map(torch.zeros)
    | st.sampled_from([torch.bfloat16, torch.int64, torch.bool]).map(lambda dtype: torch.ones(2, dtype=dtype))
)
values = st.recursive(
    leaves,
    lambda children: (
        st.lists(children, max_size=4)
        | st.lists(children, max_size=4).map(tuple)
        | st.dictionaries(st.text(), children, max_size=4)
    ),
)


@given(st.lists(values, max_size=3), st.dictionaries(st.text(), values, max_size=3))
def test_what_is_packed_comes_back(args: list[Any], kwargs: dict[str, Any]) -> None:
    inputs = Inputs(tuple(args), kwargs)
    try:
        packed = round_trip(inputs)
    except NotPackableError as error:
        # Hypothesis may put one tensor in two places.
        assert "share memory" in str(error)  # noqa: PT017
        return
    assert equal(packed, inputs)


WIDE = torch.randn(4, 4)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1: 2},
        torch.Size([2]),
        WIDE.T,
        WIDE[0].expand(3, 4),
        [WIDE, WIDE],
        [WIDE[:2], WIDE[2:]],
        torch.ones(2, requires_grad=True),
        torch.nn.Parameter(torch.ones(2)),
        torch.ones(2, dtype=torch.complex64),
        torch.eye(2).to_sparse(),
        torch.ones(2, device="meta"),
    ],
)
def test_what_would_not_come_back_the_same_is_refused(value: object) -> None:
    with pytest.raises(NotPackableError):
        pack([value])


def test_an_unknown_structure_is_refused() -> None:
    with pytest.raises(LookupError, match="no kind of value is called 'set'"):
        unpack({"set": []}, {})
