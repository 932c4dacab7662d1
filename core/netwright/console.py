"""The consoles that netwright prints to: results on standard output, errors and progress notes on standard error."""

from rich.console import Console

console = Console(soft_wrap=False, emoji=False)  # "hf:llama:" names no animal
error_console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def set_quiet(quiet: bool) -> None:
    """Print nothing but errors from here on."""
    console.quiet = quiet
