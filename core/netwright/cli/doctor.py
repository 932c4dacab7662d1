"""`netwright doctor`: what this machine can do."""

import argparse
import json

from netwright.console import console
from netwright.doctor import diagnose, findings_table
from netwright.registry import registry


def main(command: str, arguments: list[str]) -> int:
    """Print the findings; the exit code is 0 whatever they are, since a lacking GPU is no failure."""
    parser = argparse.ArgumentParser(prog=f"netwright {command}", description="Say what this machine can do.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    findings = diagnose(plugins=registry().plugins)
    if options.json:
        print(json.dumps([finding.model_dump(mode="json") for finding in findings], indent=2))
    else:
        console.print(findings_table(findings))
    return 0
