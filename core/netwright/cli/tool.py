"""`netwright tool`: calls one registered tool with JSON or with flags made from its schema."""

import argparse
import json
from typing import Any

from netwright.console import error_console
from netwright.context import RunContext, use_run
from netwright.errors import UserError
from netwright.tool import Tool, to_json


def main(command: str, arguments: list[str]) -> int:
    """Call the tool and print its result: text as it is, anything else as JSON."""
    if not arguments or arguments[0].startswith("-"):
        print(f"usage: netwright {command} NAME [--json JSON | --PARAMETER VALUE ...]\n\nnetwright tools lists them.")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    tool = Tool(arguments[0])
    values = vars(_parser(tool).parse_args(arguments[1:]))
    text = values.pop("json", None)
    given = {name: _value(value) for name, value in values.items() if value is not None}
    if text is not None:
        given = {**_json_object(text), **given}
    with use_run(RunContext(console=error_console)):  # standard output is for the result alone
        result = tool.call(given)
    if result is not None:
        print(result if isinstance(result, str) else to_json(result))
    return 0


def _parser(tool: Tool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"netwright tool {tool.name}",
        description=tool.description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if "json" not in tool.parameters.model_fields:
        parser.add_argument("--json", metavar="JSON", help="all arguments as one JSON object")
    for name, schema in tool.schema().get("properties", {}).items():
        kind = schema.get("type") or "/".join(option.get("type", "value") for option in schema.get("anyOf", []))
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar=str(kind or "value").upper())
    return parser


def _value(text: str) -> Any:
    """A flag's value: JSON where it is JSON (numbers, lists, objects, true), else the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError("--json does not hold JSON", why=f"{error}", remedy="quote it: --json '{\"key\": 1}'") from None
    if not isinstance(value, dict):
        raise UserError("--json does not hold an object", remedy="write --json '{\"key\": 1}'")
    return value
