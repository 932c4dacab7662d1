"""The errors of the Python API."""

from netwright.errors import NetwrightError, UserError
from netwright_pruning.exceptions import ConfigurationError, PruningError, ValidationError


def test_they_are_netwrights_errors() -> None:
    assert issubclass(PruningError, NetwrightError)
    assert issubclass(ConfigurationError, UserError)
    assert issubclass(ValidationError, NetwrightError)
    assert str(PruningError("it failed", why="of this", remedy="do that")) == "it failed; of this; do that"


def test_a_pruning_error_keeps_the_exit_code_of_its_cause() -> None:
    assert PruningError.of(UserError("wrong input")).exit_code == 2
    assert PruningError.of(NetwrightError("failure")).exit_code == 1
