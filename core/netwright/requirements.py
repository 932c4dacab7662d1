"""The packages that netwright's own distribution asks for, extra by extra, and which of them are installed."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement

DISTRIBUTION = "netwright"


@dataclass(frozen=True)
class Package:
    """One required package.

    Attributes:
        name: Its distribution name, e.g. "torch-pruning".
        wanted: The versions that will do, e.g. ">=1.6".
        installed: The version that is there, or None.
        fits: Whether that is one that will do.
    """

    name: str
    wanted: str
    installed: str | None
    fits: bool


def required_packages() -> list[Package]:
    """What netwright needs in any case."""
    return _packages("")


def extras() -> dict[str, list[Package]]:
    """Per extra of netwright, the packages that it adds on this system."""
    names = distribution(DISTRIBUTION).metadata.get_all("Provides-Extra") or []
    return {name: _packages(name) for name in names}


def installed_version(name: str) -> str | None:
    """The installed version of a distribution, or None; nothing is imported."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _packages(extra: str) -> list[Package]:
    requirements = [Requirement(line) for line in distribution(DISTRIBUTION).requires or []]
    return [_package(requirement) for requirement in requirements if _belongs(requirement, extra)]


def _belongs(requirement: Requirement, extra: str) -> bool:
    if requirement.marker is None:
        return not extra
    always = requirement.marker.evaluate({"extra": ""})
    return always if not extra else requirement.marker.evaluate({"extra": extra}) and not always


def _package(requirement: Requirement) -> Package:
    found = installed_version(requirement.name)
    fits = found is not None and requirement.specifier.contains(found, prereleases=True)
    return Package(requirement.name, str(requirement.specifier), found, fits)
