"""The keepsake: all that is worth keeping of a pruning beside its model, as JSON."""

from pathlib import Path

from pydantic import ValidationError

from netwright.errors import UserError
from netwright.files import write_text
from netwright.result import Record
from netwright_pruning.equality import Equality
from netwright_pruning.metrics import UntouchedGroup
from netwright_pruning.outcome import BudgetOutcome, Pruning
from netwright_training import EpochRecord

FILE = "pruning.json"


class Keepsake(Record):
    """A pruning without its model."""

    before: dict[str, int]
    """Parameters and MACs of the unpruned model."""
    after: dict[str, int]
    budget: BudgetOutcome
    widths: dict[str, tuple[int, int]]
    untouched: list[UntouchedGroup] = []
    equality: Equality | None = None
    kept: dict[str, list[int]]
    """Per layer with a weight, which of the unpruned layer's output channels remain."""
    refitted: int = 0
    """Layers that were refitted to the unpruned ones' outputs."""
    history: list[EpochRecord] = []
    """The epochs of its fine-tuning."""

    @classmethod
    def of(cls, pruning: Pruning, base: "Keepsake | None" = None) -> "Keepsake":
        """What is to be kept of a pruning.

        Args:
            base: Of the pruned model that was pruned further; None for one of the unpruned model itself.
        """
        counts = {"parameters": pruning.before.parameters, "macs": pruning.before.macs}
        kept = {name: list(channels) for name, channels in pruning.kept.items()}
        widths = dict(pruning.widths)
        if base is not None:
            kept = {name: [base.kept[name][channel] for channel in channels] for name, channels in kept.items()}
            counts = base.before
            grown = {name: (base.widths.get(name, (was, was))[0], now) for name, (was, now) in widths.items()}
            widths = {**base.widths, **grown}
        return cls(
            before=counts,
            after={"parameters": pruning.after.parameters, "macs": pruning.after.macs},
            budget=_as_a_whole(pruning.budget, base),
            widths=widths,
            untouched=[UntouchedGroup(group=f.group, module=f.module, reason=f.reason) for f in pruning.faults],
            equality=pruning.equality,
            kept=kept,
        )


def write_keepsake(keepsake: Keepsake, folder: Path) -> None:
    """Write it into an attempt's folder, whole."""
    write_text(folder / FILE, keepsake.model_dump_json())


def read_keepsake(folder: Path) -> Keepsake:
    """The keepsake of an attempt.

    Raises:
        UserError: There is none, or it is damaged.
    """
    try:
        return Keepsake.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{folder / FILE} cannot be read", why=str(error).splitlines()[0]) from None


def _as_a_whole(budget: BudgetOutcome, base: Keepsake | None) -> BudgetOutcome:
    """The outcome of a later round, told of the unpruned model."""
    if base is None or budget.metric not in base.before:
        return budget
    return budget.model_copy(update={"unpruned": base.before[budget.metric]})
