"""Keys: looked for before the first request, so that a missing one is named instead of failing somewhere inside."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from netwright.errors import UserError
from netwright.llm.envfile import read_env_files

NO_KEY = "none"
"""What a server is sent that was named by its address and needs no key."""
ARGUMENTS = {"VERTEXAI_PROJECT": "vertex_project", "VERTEXAI_LOCATION": "vertex_location"}
SUFFIXES = {"_API_KEY": "api_key", "_TOKEN": "api_key", "_API_BASE": "api_base", "_API_VERSION": "api_version"}


def find_key(variable: str, files: Sequence[Path], *, model: str) -> str:
    """The value of the variable that the settings name, from the environment or else from the `.env` files.

    Raises:
        UserError: It is nowhere.
    """
    value = os.environ.get(variable) or read_env_files(list(files)).get(variable)
    if not value:
        raise missing_key([variable], files, model=model)
    return value


def credentials(missing: Sequence[str], files: Sequence[Path], *, model: str) -> dict[str, str]:
    """litellm's arguments for the variables that it misses in the environment, from the `.env` files.

    Nothing is put into this process's environment, where every child would inherit it.

    Raises:
        UserError: A variable is in no file.
    """
    variables = read_env_files(list(files))
    absent = [name for name in missing if not variables.get(name)]
    if absent:
        raise missing_key(absent, files, model=model)
    return {_argument(name): variables[name] for name in missing}


def missing_key(names: Sequence[str], files: Sequence[Path], *, model: str) -> UserError:
    """The error for variables that are nowhere: which, and where they were looked for."""
    places = ", ".join(["the environment", *map(str, files)])
    many = len(names) > 1
    return UserError(
        f"no key for {model}: {' and '.join(names)} {'are' if many else 'is'} not set",
        why=f"looked in {places}",
        remedy=f"export {names[0]}=..., or put it into {files[0] if files else '.env'}",
    )


def key_variables(variables: Mapping[str, str]) -> list[str]:
    """The names among variables that hold a provider's key, by their ending; never the values."""
    return sorted(name for name, value in variables.items() if name.endswith("_API_KEY") and value)


def _argument(variable: str) -> str:
    for suffix, argument in SUFFIXES.items():
        if variable.endswith(suffix):
            return argument
    return ARGUMENTS.get(variable, variable.lower())
