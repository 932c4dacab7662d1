"""What cannot be written down as a module of its own."""

from netwright.errors import NetwrightError


class EmissionError(NetwrightError):
    """A graph or a module cannot be written as stand-alone Python; `what` names the part."""
