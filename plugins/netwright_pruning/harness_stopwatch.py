"""The stopwatch that budgets of latency go by: the harness, with both models in processes of their own."""

import tempfile
from pathlib import Path

from torch import nn

from netwright.cases import Case
from netwright.errors import NetwrightError
from netwright.harness import TimingConfig, Variant, measure, speedup
from netwright_pruning.saved import save_pruned
from netwright_pruning.stopwatch import Reading

UNPRUNED, PRUNED = "unpruned", "pruned"
TARGET = "netwright_pruning.variant:load"


class HarnessStopwatch:
    """Times pruned models of a case.

    Args:
        seed: Draws inputs and the order of the arms.
    """

    def __init__(self, case: Case, config: TimingConfig, *, seed: int) -> None:
        self._case, self._config, self._seed = case, config, seed

    def __call__(self, model: nn.Module) -> Reading:
        """Time `model` beside the case's own module, interleaved.

        Raises:
            NetwrightError: One of the two could not be timed.
        """
        case = self._case
        with tempfile.TemporaryDirectory(prefix="netwright-") as folder:
            save_pruned(model, Path(folder), case=case.name, options=case.options)
            arms = [Variant(label=UNPRUNED), Variant(label=PRUNED, target=TARGET, options={"folder": folder})]
            timings = measure(case.name, case.options, arms, self._config, seed=self._seed)
        unpruned, pruned = timings[UNPRUNED], timings[PRUNED]
        ratio = speedup(pruned, unpruned)
        if ratio is None or unpruned.median_ms is None:
            why = unpruned.not_measured or pruned.not_measured or "the harness gave no times"
            raise NetwrightError("latency cannot be measured", why=why)
        return Reading(unpruned.median_ms, ratio.value, ratio.low, ratio.high)
