"""Drawing inputs."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netwright.cases import Distribution, Inputs
from netwright.cases.draw import draw_declared, redistribute
from netwright.cases.manifest import DType, InputsSpec, TensorSpec

DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)


def one(spec: TensorSpec, seed: int = 0, distribution: Distribution = "normal") -> torch.Tensor:
    (tensor,) = draw_declared(InputsSpec(args=(spec,)), seed, distribution).args
    assert isinstance(tensor, torch.Tensor)
    return tensor


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_draws_depend_on_seed_and_distribution_alone(distribution: Distribution) -> None:
    spec = TensorSpec(shape=(50,))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = one(spec, 3, distribution)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(one(spec, 3, distribution), first)
    assert not torch.equal(one(spec, 4, distribution), first)


@pytest.mark.parametrize("dtype", get_args(DType))
def test_shape_dtype_and_range_are_as_declared(dtype: DType) -> None:
    spec = TensorSpec(shape=(7, 5), dtype=dtype, distribution="uniform", range=(2, 6))
    for distribution in DISTRIBUTIONS:
        value = one(spec, 0, distribution)
        assert value.shape == (7, 5)
        assert value.dtype == getattr(torch, dtype)
        if dtype != "bool":
            assert value.min() >= 2
            assert value.max() <= (6 if value.is_floating_point() else 5)


def test_declared_distributions() -> None:
    normal = one(TensorSpec(shape=(10_000,)))
    assert abs(normal.mean()) < 0.05
    assert abs(normal.std() - 1) < 0.05
    uniform = one(TensorSpec(shape=(10_000,), distribution="uniform", range=(-3, 5)))
    assert abs(uniform.mean() - 1) < 0.1
    assert uniform.min() < -2.9
    assert uniform.max() > 4.9
    assert one(TensorSpec(shape=(3,), distribution="zeros")).tolist() == [0, 0, 0]
    assert one(TensorSpec(shape=(3,), distribution="ones")).tolist() == [1, 1, 1]
    assert one(TensorSpec(shape=(100,), range=(-0.5, 0.5))).abs().max() <= 0.5
    assert set(one(TensorSpec(shape=(100,), dtype="int64", range=(0, 3))).tolist()) == {0, 1, 2}
    assert set(one(TensorSpec(shape=(100,), dtype="bool")).tolist()) == {False, True}


def test_other_distributions_are_made_from_the_own_one() -> None:
    spec = TensorSpec(shape=(5_000,))
    own = one(spec)
    assert torch.equal(one(spec, 0, "large"), own * 100)
    assert torch.equal(one(spec, 0, "small"), own * 1e-3)
    sparse = one(spec, 0, "sparse")
    kept = sparse != 0
    assert torch.equal(sparse[kept], own[kept])
    assert 0.08 < kept.float().mean() < 0.12
    uniform = one(spec, 0, "uniform")
    assert own.min() <= uniform.min() < uniform.max() <= own.max()
    assert uniform.std() > own.std()


def test_tensors_of_a_call_differ() -> None:
    spec = TensorSpec(shape=(9,))
    inputs = draw_declared(InputsSpec(args=(spec, spec), kwargs={"x": spec}), 0, "normal")
    assert not torch.equal(inputs.args[0], inputs.args[1])
    assert not torch.equal(inputs.args[0], inputs.kwargs["x"])


@given(st.integers(0, 2**31), st.sampled_from(DISTRIBUTIONS), st.sampled_from(["float32", "float64", "bfloat16"]))
def test_redistribution_keeps_shape_dtype_signs_and_all_that_is_not_floating(
    seed: int, distribution: Distribution, dtype: DType
) -> None:
    positive = torch.rand(3, 4).to(getattr(torch, dtype)) + 0.5
    drawn = Inputs((positive, [torch.arange(3), "text"]), {"empty": torch.ones(0)})
    changed = redistribute(drawn, distribution, seed)
    assert changed.args[0].shape == (3, 4)
    assert changed.args[0].dtype == positive.dtype
    assert (changed.args[0] >= 0).all()
    assert changed.args[1][0].tolist() == [0, 1, 2]
    assert changed.args[1][1] == "text"
    assert changed.kwargs["empty"].shape == (0,)
