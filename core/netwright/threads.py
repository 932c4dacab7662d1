"""How threads of OpenMP wait for their next work."""

from collections.abc import Mapping

BRIEF_SPINNING = {"GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "1"}
"""Some 50 microseconds with GCC's library, which PyTorch comes with, and a millisecond with LLVM's and Intel's.

That outlasts the time between two operators: on two cores ResNet-50 takes 57 ms, 54 ms with the default of several
milliseconds, and 75 ms where threads sleep at once. On a busy machine the default takes cores from those that work:
beside another process of two threads, 140 ms, 2,600 ms and 110 ms.
"""


def brief_spinning(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that have threads spin briefly before they sleep; none where `environment` tells them already."""
    return {} if environment.keys() & {"OMP_WAIT_POLICY", *BRIEF_SPINNING} else BRIEF_SPINNING
