"""The proof: calls on secret inputs that a worker commits to, under the judge's own clock."""

import math
from random import SystemRandom

from torch import Tensor

from netwright.harness import protocol
from netwright.harness.arms import Arm
from netwright.harness.compare import complaint
from netwright.harness.examination import Examination
from netwright.harness.judge import Judge
from netwright.harness.load import Load
from netwright.harness.observe import digest
from netwright.harness.protocol import Draw
from netwright.harness.settings import THREADS

PROOF_MS = 120.0
"""The calls whose time and outputs the judge looks at from outside take about this long."""
PROOF_CALLS = 200
PROOF_BYTES = 64 << 20
SHOWN_BYTES = 8 << 20
LEAST_PROOFS, MOST_PROOFS = 3, 10
"""On a busy machine everything looks slower, at times: the fastest proof counts, and the honest need but one."""
ENOUGH_MS = 4000.0
"""Once the unmodified module has worked so long, further proofs are needed only where none was passed."""
TIMER_FACTOR = 1.3
TIMER_SLACK_MS = 10.0
"""How far the judge's clock may be ahead of the worker's: of what it counts here, and of what it counted in the rounds,
beyond what the unmodified module lost since."""


def check_proof(
    examination: Examination,
    judge: Judge,
    arm: Arm,
    draw: Draw,
    claimed_ms: float,
    unmodified_ms: float,
    *,
    proofs: int = LEAST_PROOFS,
    timeout: float,
) -> None:
    """Have a variant and the unmodified module make the same calls, on inputs that nobody knew before, and look at it
    from outside: how long all took by the judge's clock, and outputs that are picked when all are settled.

    What a worker does beside calling takes as long in both, and a machine that has become busier since the rounds slows
    both down alike; the judge trusts its own worker's count. A clock that is slow is slow here, too: it is held against
    the judge's over the same calls, because calls in the rounds, on cold caches, may rightly take longer than here.

    Args:
        claimed_ms: The variant's latency in the rounds, as its worker counted.
        unmodified_ms: The unmodified module's in the same rounds.
        proofs: How often, at least.

    Raises:
        ArmError: The variant's worker does not answer.
        JudgeError: The unmodified module itself cannot be called.
    """
    size = max(judge.output_bytes, 1)
    calls = max(2, min(PROOF_CALLS, round(PROOF_MS / max(claimed_ms, 1e-4)), PROOF_BYTES // size))
    took_ms, counted_ms, same_ms, beside_ms = math.inf, math.inf, math.inf, math.inf
    load, unmodified_took_ms = Load(arm, judge.arm), 0.0
    for attempt in range(MOST_PROOFS):
        nonces = tuple(SystemRandom().randrange(1, 2**31) for _ in range(calls))
        with load.while_busy():
            proved, _ = arm.ask(protocol.Prove(nonces=nonces), protocol.Proved, timeout=timeout)
        took_ms = min(took_ms, _spent_ms(arm, judge.loaded.device))
        counted_ms = min(counted_ms, proved.call_ms)
        with load.while_idle():
            same, beside = judge.prove(draw, nonces)
        unmodified_took_ms += same + beside
        same_ms, beside_ms = min(same_ms, same), min(beside_ms, beside)
        slower = max(1.0, same_ms / calls / unmodified_ms)
        most_ms = TIMER_FACTOR * min(counted_ms, slower * claimed_ms * calls) + TIMER_SLACK_MS
        shown = tuple(SystemRandom().sample(range(calls), max(2, min(calls, SHOWN_BYTES // size))))
        _, tensors = arm.ask(protocol.Reveal(calls=shown), protocol.Number, timeout=timeout)
        committed = all(proved.digests.get(name) == digest(tensor) for name, tensor in tensors.items())
        reason = _first_wrong(judge, arm, draw, tensors, judge.reveal(shown))
        examination.note("timed output", reason if committed else "it shows other outputs than it made")
        if (attempt + 1 >= proofs or unmodified_took_ms > ENOUGH_MS) and took_ms - beside_ms <= most_ms:
            break
    spent_ms = took_ms - beside_ms
    said = f"{calls} calls of {claimed_ms:.3g} ms, as its worker counts, took {spent_ms:.1f} ms by the judge's clock"
    if counted_ms < claimed_ms * calls:
        said = f"{calls} calls took {counted_ms:.1f} ms by its worker's clock, and {spent_ms:.1f} ms by the judge's"
    examination.note("timer", said if spent_ms > most_ms else None)
    examination.note("load", load.complaint(int(judge.loaded.settings[THREADS])))


def _spent_ms(arm: Arm, device: str) -> float:
    """How long an arm's last answer took: by the clock on a GPU, whose work is no processor time."""
    return (arm.worked_s if device == "cpu" else arm.wall_s) * 1e3


def _first_wrong(
    judge: Judge, arm: Arm, draw: Draw, tensors: dict[str, Tensor], expected: dict[str, Tensor]
) -> str | None:
    """The first output that is not what the unmodified module returned for the same inputs."""
    for name, eager in expected.items():
        values = tensors.get(name)
        yardstick = judge.stand_in(draw, arm.variant.claims.precision, name.partition("/")[2], eager)
        if values is None or values.shape != eager.shape or values.dtype != eager.dtype:
            return f"call {name}: its values cannot be compared"
        problem = yardstick and complaint(values, yardstick, judge.loaded.tolerance)
        if problem:
            return f"call {name}: {problem}"
    return None
