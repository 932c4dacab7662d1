"""`.env` files: variables beside the work, read without touching this process's environment."""

import re
from pathlib import Path

NAME = ".env"
ASSIGNMENT = re.compile(
    r"""(?mx)
    ^[ \t]* (?:export[ \t]+)? (?P<name>[A-Za-z_][A-Za-z0-9_.]*) [ \t]* = [ \t]*
    (?: "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>[^']*)' | (?P<plain>[^\r\n]*?) )
    [ \t]* (?:(?:(?<=\s)|(?<=["']))\#[^\r\n]*)? $
    """
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a `.env` file: NAME=VALUE lines, `export` before them or not, quoted or not, # for comments.

    In double quotes, backslashes escape; elsewhere everything is literal, and nothing is expanded. A file that is not
    there, or that is no text, holds none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}
    return {match["name"]: _value(match) for match in ASSIGNMENT.finditer(text)}


def env_files(*folders: Path) -> list[Path]:
    """Where variables are looked for: a `.env` in each of the folders, each once."""
    return list(dict.fromkeys(folder.resolve() / NAME for folder in folders))


def read_env_files(files: list[Path]) -> dict[str, str]:
    """The variables of all files; of two that name the same, the first file's."""
    variables: dict[str, str] = {}
    for file in reversed(files):
        variables |= read_env_file(file)
    return variables


def _value(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return re.sub(r"\\(.)", lambda part: ESCAPES.get(part[1], part[1]), match["double"], flags=re.DOTALL)
    return match["single"] if match["single"] is not None else match["plain"]
