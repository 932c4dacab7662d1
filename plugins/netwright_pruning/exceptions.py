"""The errors of the Python API: one line each, like all of netwright's."""

from typing import Self

from netwright.errors import NetwrightError, UserError


class PruningError(NetwrightError):
    """A pruning failed, or what was asked of it was wrong."""

    @classmethod
    def of(cls, error: NetwrightError) -> Self:
        """The same message and exit code."""
        found = cls(error.what, why=error.why, remedy=error.remedy)
        found.exit_code = error.exit_code
        return found


class ConfigurationError(UserError):
    """A setting is missing or wrong; the message has its full key."""

    @classmethod
    def of(cls, error: NetwrightError) -> Self:
        """The same message."""
        return cls(error.what, why=error.why, remedy=error.remedy)


class ValidationError(NetwrightError):
    """A validation could not be carried out."""
