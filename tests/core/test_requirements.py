"""Required packages by extra."""

from importlib.metadata import requires, version

from netwright.requirements import extras, installed_version, required_packages


def test_required_packages_are_installed_and_fit() -> None:
    packages = {package.name: package for package in required_packages()}
    assert packages["torch"].installed == version("torch")
    assert all(package.fits for package in packages.values())


def test_extras_add_packages_of_their_own() -> None:
    table = extras()
    assert [package.name for package in table["report"]] == ["matplotlib"]
    assert table["report"][0].wanted == ">=3.8"
    assert not {package.name for package in table["report"]} & {package.name for package in required_packages()}


def test_every_requirement_is_somewhere() -> None:
    listed = [*required_packages(), *(package for group in extras().values() for package in group)]
    assert len(listed) == len(requires("netwright") or [])


def test_a_package_that_is_absent_has_no_version() -> None:
    assert installed_version("no-such-package-anywhere") is None
