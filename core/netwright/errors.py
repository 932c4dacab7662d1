"""The errors that netwright raises on purpose, each one line: what happened, why, and what to do instead."""

import difflib
from collections.abc import Iterable


class NetwrightError(Exception):
    """The work failed.

    Args:
        what: What happened, with the names that the user knows.
        why: The reason, when `what` alone does not tell.
        remedy: What the user can do instead.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", remedy: str = "") -> None:
        self.what = what
        self.why = why
        self.remedy = remedy
        super().__init__("; ".join(part for part in (what, why, remedy) if part))


class UserError(NetwrightError):
    """The user's input is wrong: nothing ran that the message does not mention."""

    exit_code = 2


class MissingDependencyError(UserError):
    """A component is known, but a package that it needs is not installed."""


MOST_NAMES = 20
"""How many known names a message lists; a collection of models has a thousand."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most likely meant, or None when none is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown_name(kind: str, name: str, known: Iterable[str], *, listing: str = "") -> UserError:
    """The error for a name that is not among the known ones, with the nearest one, or else the first ones.

    Args:
        kind: What the name should have named, such as "agent" or "baseline".
        listing: The command that lists the valid names, if there is one.
    """
    names = sorted(known)
    guess = nearest(name, names)
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    why = "" if guess else f"known: {', '.join(names[:MOST_NAMES]) or 'none'}{more}"
    remedy = f"did you mean '{guess}'?" if guess else ""
    if listing:
        remedy = f"{remedy} ({listing} shows all)" if remedy else f"{listing} shows all"
    return UserError(f"no {kind} named '{name}'", why=why, remedy=remedy)
