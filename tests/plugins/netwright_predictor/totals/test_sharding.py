"""What one device of several holds and sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import UserError
from netwright_predictor.totals.parallel import Parallel, check_degrees
from netwright_predictor.totals.sharding import (
    Traveller,
    Weight,
    communication,
    part,
    ring_all_gather,
    ring_all_reduce,
    share_of_device,
)

DEGREES = st.sampled_from([1, 2, 4, 8])


def make_weight(numbers: int, *, stage: int = 0, routed: bool = False, split: bool = True) -> Weight:
    return Weight(numbers, 2 * numbers, 2 * numbers, 8 * numbers, 2 * numbers, stage, routed, split)


@given(DEGREES, DEGREES, st.integers(1, 1000))
def test_the_parts_of_matrices_add_up_to_the_whole(tensor: int, expert: int, units: int) -> None:
    dense, routed = make_weight(64 * units), make_weight(64 * 64 * units, routed=True)
    parallel = Parallel(tensor=tensor, expert=expert)
    assert share_of_device([dense], parallel).weights * tensor == dense.stored
    assert share_of_device([routed], parallel).weights * tensor * expert == routed.stored


@given(DEGREES, DEGREES)
def test_stages_that_are_alike_hold_equal_parts(pipeline: int, tensor: int) -> None:
    weights = [make_weight(640, stage=stage) for stage in range(pipeline) for _ in range(3)]
    share = share_of_device(weights, Parallel(pipeline=pipeline, tensor=tensor))
    assert share.parameters * pipeline * tensor == sum(each.numbers for each in weights)


def test_the_fullest_stage_counts() -> None:
    share = share_of_device([make_weight(10), make_weight(70, stage=1)], Parallel(pipeline=2))
    assert share.parameters == 70


def test_vectors_are_on_every_device() -> None:
    assert share_of_device([make_weight(640, split=False)], Parallel(tensor=4)).parameters == 640


@pytest.mark.parametrize(
    ("zero", "weights", "gradients", "optimizer"),
    [(0, 1600, 1600, 6400), (1, 1600, 1600, 800), (2, 1600, 200, 800), (3, 200, 200, 800)],
)
def test_zero_shares_state_then_gradients_then_weights(zero: int, weights: int, gradients: int, optimizer: int) -> None:
    """ZeRO, arXiv:1910.02054, figure 1, with 8 devices and 800 parameters."""
    share = share_of_device([make_weight(800)], Parallel.model_validate({"data": 8, "zero": zero}))
    assert (share.weights, share.gradients, share.optimizer) == (weights, gradients, optimizer)


def test_zero_shares_experts_among_fewer_devices() -> None:
    parallel = Parallel(data=2, expert=4, zero=3)
    assert share_of_device([make_weight(800)], parallel).weights == 1600 // 8
    assert share_of_device([make_weight(800, routed=True)], parallel).weights == 1600 // 4 // 2


@given(st.integers(0, 10**12), st.integers(2, 64))
def test_an_all_reduce_is_a_scattering_and_a_gathering(size: int, devices: int) -> None:
    assert ring_all_reduce(size * devices, devices) == 2 * ring_all_gather(size * devices, devices)
    assert ring_all_reduce(size, devices) <= 2 * size


def make_traveller(*, backward: bool = False) -> Traveller:
    return Traveller(hidden=1024, layers=8, expert_layers=6, chosen=2, backward=backward)


def test_one_device_sends_nothing() -> None:
    assert communication(Parallel(), make_traveller(backward=True), weights=100, gradients=100) == {}


def test_tensor_parallel_layers_sum_twice() -> None:
    sent = communication(Parallel(tensor=4), make_traveller(), weights=100, gradients=0)
    assert sent == {"tensor": 2 * 8 * 2 * 1024 * 3 // 4}  # two sums per layer of 2 (n - 1) / n of the hidden states


def test_gradients_double_what_passes_between_layers() -> None:
    parallel = Parallel(tensor=2, pipeline=2, expert=2)
    forward = communication(parallel, make_traveller(), weights=100, gradients=0)
    both = communication(parallel, make_traveller(backward=True), weights=100, gradients=0)
    assert both == {name: 2 * size for name, size in forward.items()}


def test_data_parallel_devices_sum_gradients_once() -> None:
    assert communication(Parallel(data=4), make_traveller(backward=True), weights=400, gradients=400) == {"data": 600}


def test_zero_3_moves_half_as_much_again() -> None:
    """ZeRO, arXiv:1910.02054, section 7.2.2: 3 times the parameters instead of twice."""
    plain = communication(Parallel(data=4), make_traveller(backward=True), weights=400, gradients=400)
    zero = communication(Parallel(data=4, zero=3), make_traveller(backward=True), weights=400, gradients=400)
    assert zero["data"] * 2 == plain["data"] * 3


def test_experts_get_tokens_and_send_them_back() -> None:
    sent = communication(Parallel(expert=4), make_traveller(), weights=100, gradients=0)
    assert sent == {"expert": 6 * 2 * (1024 * 2 * 3 // 4)}


@pytest.mark.parametrize(
    ("degrees", "message"),
    [
        ({"tensor": 3}, "parallel.tensor=3 does not divide the 32 attention heads"),
        ({"tensor": 16}, None),  # two devices share each of 8 heads of keys and values
        ({"pipeline": 5}, "parallel.pipeline=5 does not divide the 32 layers"),
        ({"data": 3}, "parallel.data=3 does not divide the 8 sequences of the batch"),
        ({"expert": 2}, "parallel.expert needs a mixture of experts"),
    ],
)
def test_degrees_that_do_not_divide_are_one_clear_line(degrees: dict[str, int], message: str | None) -> None:
    parallel = Parallel.model_validate(degrees)
    sizes = {"heads": 32, "kv_heads": 8, "layers": 32, "experts": None, "batch": 8}
    if message is None:
        check_degrees(parallel, **sizes)  # type: ignore[arg-type]
        return
    with pytest.raises(UserError, match=message):
        check_degrees(parallel, **sizes)  # type: ignore[arg-type]


@given(st.integers(0, 10**15), st.integers(1, 1000))
def test_a_part_is_rounded_up(whole: int, parts: int) -> None:
    assert whole <= part(whole, parts) * parts < whole + parts
