"""The caged end of a function call; runs as a script that gets the files of the order and of the result."""

import json
import sys
from pathlib import Path

from netwright.errors import UserError
from netwright.loading import load_attribute


def main(order_file: Path, result_file: Path) -> None:
    """Call the function that the order names, and write what it returns."""
    order = json.loads(order_file.read_text(encoding="utf-8"))
    try:
        function = load_attribute(order["target"])
    except UserError as error:
        sys.exit(str(error))
    if not callable(function):
        sys.exit(f"{order['target']} is no function")
    text = json.dumps(function(**order["arguments"]), allow_nan=False)
    result_file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
