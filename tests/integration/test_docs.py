"""The documentation is true: every command in it runs, every link leads somewhere, every hook is described."""

import inspect
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

from netwright.plugins import hook_modules
from netwright.registry import registry

RunInstalled = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("examples/*/*.md")])


def page_name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def commands_in(page: Path) -> list[str]:
    """The commands of a page's ```console blocks, one per line, long ones continued with a backslash."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("page", [page for page in PAGES if commands_in(page)], ids=page_name)
def test_every_command_runs(page: Path, run_installed: RunInstalled, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    for command in commands_in(page):
        words = shlex.split(command)
        if words[0] == "make":
            done = subprocess.run(
                ["make", "-n", *words[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False
            )
        elif words[0] == "git":
            continue  # there is no network here
        elif words[:2] == ["pip", "install"]:
            (source,) = words[2:]
            assert (tmp_path / source.partition("[")[0]).is_dir(), command  # the fixture installed it
            continue
        else:
            done = run_installed("bash", "-c", command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [target for target in targets if not target.startswith("http")]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert missing == []


def anchors_of(page: Path) -> set[str]:
    """What can be linked to in a page: its headings as GitHub spells them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_into_a_page_names_a_heading(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", page.read_text())
    missing = [anchor for target, anchor in links if anchor not in anchors_of(page.parent / target if target else page)]
    assert missing == []


def test_every_hook_is_described() -> None:
    guide = (REPOSITORY / "docs" / "plugins.md").read_text()
    hooks = {
        name: function
        for module in hook_modules(registry().plugins)
        for name, function in vars(module).items()
        if name.startswith("netwright_") and inspect.isfunction(function)
    }
    assert len(hooks) > 5
    for name, function in hooks.items():
        spec = get_type_hints(function)["return"].__args__[0]
        assert f"### `{name}{_plain_signature(function)}`" in guide
        for field in spec.__dataclass_fields__:
            assert f"`{field}`" in guide, f"{name}: {spec.__name__}.{field} is not described"


def _plain_signature(function: object) -> str:
    assert callable(function)
    returned = get_type_hints(function)["return"]
    return f"() -> list[{returned.__args__[0].__name__}]"
