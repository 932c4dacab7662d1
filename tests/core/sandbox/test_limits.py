"""Limits and what the kernel is told of them."""

import resource

import pytest

from netwright.config import parse_config
from netwright.errors import UserError
from netwright.sandbox import Limits


def test_each_limit_has_its_kernel_side() -> None:
    found = {kind: soft for kind, soft, _ in Limits(cpu_s=1.5, memory_mib=256, file_mib=2).rlimits(cuda=False)}
    assert found[resource.RLIMIT_CPU] == 2
    assert found[resource.RLIMIT_DATA] == 256 << 20
    assert found[resource.RLIMIT_FSIZE] == 2 << 20
    assert found[resource.RLIMIT_CORE] == 0


def test_cuda_and_no_limit_leave_the_address_space_alone() -> None:
    for rlimits in (Limits().rlimits(cuda=True), Limits(memory_mib=None).rlimits(cuda=False)):
        assert not {resource.RLIMIT_AS, resource.RLIMIT_DATA} & {kind for kind, _, _ in rlimits}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"wall_s": 0}, "'sandbox.limits.wall_s' cannot be 0"),
        ({"wall_s": float("nan")}, "'sandbox.limits.wall_s' cannot be nan"),
        ({"memory_mib": -1}, "'sandbox.limits.memory_mib' cannot be -1"),
        ({"processes": 0}, "'sandbox.limits.processes' cannot be 0"),
        ({"file_mb": 3}, "unknown key 'sandbox.limits.file_mb'; did you mean 'file_mib'?"),
    ],
)
def test_senseless_limits_are_one_line(values: dict[str, float], message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(Limits, values, path="sandbox.limits")
    assert message in str(caught.value)
