"""How a generated module runs: operator by operator, or through torch.compile, with weights frozen or not."""

from enum import StrEnum


class Execution(StrEnum):
    """One way of running a generated `ModelNew`."""

    EAGER = "eager"
    """Operator by operator."""
    COMPILED = "compiled"
    """torch.compile in its default mode."""
    MAX_AUTOTUNE = "max-autotune"
    """torch.compile, with the fastest of several kernels for each product."""
    FROZEN = "frozen"
    """torch.compile with weights as constants that Inductor lays out beforehand; with gradients on, none are."""
    FROZEN_MAX_AUTOTUNE = "frozen max-autotune"
    """Both."""

    @property
    def compiles(self) -> bool:
        """Whether torch.compile is used."""
        return self is not Execution.EAGER

    @property
    def freezes(self) -> bool:
        """Whether weights become constants of the compiled code."""
        return self in (Execution.FROZEN, Execution.FROZEN_MAX_AUTOTUNE)

    @property
    def description(self) -> str:
        """How a file's head says it."""
        match self:
            case Execution.EAGER:
                return "operator by operator"
            case Execution.COMPILED:
                return "compiled by torch.compile"
            case Execution.MAX_AUTOTUNE:
                return "compiled by torch.compile in its mode max-autotune"
            case Execution.FROZEN:
                return "compiled by torch.compile with its weights as constants"
            case Execution.FROZEN_MAX_AUTOTUNE:
                return "compiled by torch.compile with its weights as constants and the fastest of several kernels"

    def decorator(self, *, random: bool) -> str:
        """The decorator of the function that computes; empty where nothing is compiled.

        Args:
            random: Whether random numbers are drawn; they are then those that eager execution draws.
        """
        if not self.compiles:
            return ""
        options = {"freezing": True} if self.freezes else {}
        if random:
            options["fallback_random"] = True
        autotunes = self in (Execution.MAX_AUTOTUNE, Execution.FROZEN_MAX_AUTOTUNE)
        if autotunes and not options:
            return '@torch.compile(mode="max-autotune")'
        if autotunes:
            options = {"max_autotune": True, "coordinate_descent_tuning": True, **options}
        return f"@torch.compile(options={options})".replace("'", '"') if options else "@torch.compile"
