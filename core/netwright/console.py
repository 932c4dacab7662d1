"""The consoles that netwright prints to: results on standard output, errors and progress notes on standard error."""

from rich.console import Console

console = Console(soft_wrap=False)
error_console = Console(stderr=True, soft_wrap=True, highlight=False)


def set_quiet(quiet: bool) -> None:
    """Print nothing but errors from here on."""
    console.quiet = quiet
