"""How threads of OpenMP wait for their next work."""

from collections.abc import Mapping

BRIEF_SPINNING = {"GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "1"}
"""Some 50 microseconds with GCC's library, which PyTorch comes with, and a millisecond with LLVM's and Intel's.

That outlasts the time between two operators. `benchmarks/waiting_threads.py` holds it against the library's default of
several milliseconds, and against threads that sleep at once: on two quiet cores ResNet-50 takes 60, 56 and 74 ms,
beside another process of two threads 228, 273 and 119 ms.
"""


def brief_spinning(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that have threads spin briefly before they sleep; none where `environment` tells them already."""
    return {} if environment.keys() & {"OMP_WAIT_POLICY", *BRIEF_SPINNING} else BRIEF_SPINNING
