"""The command `netwright`: finds the subcommand, and ends with one line and an exit code when something is wrong."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from netwright import __version__
from netwright.start import collect_rarely

COMMANDS = {
    "run": ("netwright.cli.run", "run an agent on a case, or sweep over many"),
    "collect": ("netwright.cli.results", "make one table of the runs below a folder"),
    "report": ("netwright.cli.results", "write a run's report.html again"),
    "archive": ("netwright.cli.results", "bundle a run with checksums, or verify a bundle"),
    "tool": ("netwright.cli.tool", "call one tool"),
    "plugins": ("netwright.cli.listings", "list plugins and what is wrong with them"),
    "agents": ("netwright.cli.listings", "list agents"),
    "tools": ("netwright.cli.listings", "list tools"),
    "baselines": ("netwright.cli.listings", "list baselines"),
    "metrics": ("netwright.cli.listings", "list metrics"),
    "cases": ("netwright.cli.listings", "list cases and case schemes"),
    "components": ("netwright.cli.listings", "list everything, or one kind, such as dataset"),
    "doctor": ("netwright.cli.doctor", "say what this machine can do"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it is done, 1 when the work failed, 2 when the input is wrong.
    """
    options, rest = _parser().parse_known_args(arguments)
    if options.command is None:
        _parser().print_help()
        return 0
    if options.command not in COMMANDS:
        from netwright.errors import unknown_name

        return _end(unknown_name("command", options.command, COMMANDS, listing="netwright --help"), debug=options.debug)
    if options.disable:
        os.environ["NETWRIGHT_DISABLE_PLUGINS"] = ",".join(options.disable)
    module, _ = COMMANDS[options.command]
    try:
        return int(import_module(module).main(options.command, [*rest, *options.arguments]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _end(error, debug=options.debug)


def console() -> int:
    """The installed command: `main` in a process that ends with it."""
    collect_rarely()
    try:
        return main()
    finally:
        gc.freeze()  # nobody needs the memory that would be looked through for garbage


def _parser() -> argparse.ArgumentParser:
    width = max(len(name) for name in COMMANDS)
    commands = "\n".join(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="netwright",
        description="Agents that measure, shrink and speed up PyTorch models, and prove it.",
        usage="netwright [--debug] [--disable PLUGIN] COMMAND ...",
        epilog=f"commands:\n{commands}\n\n'netwright COMMAND --help' tells more; 'netwright run' shows what it can do.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"netwright {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("--disable", metavar="PLUGIN", action="append", help="switch a plugin off (repeatable)")
    parser.add_argument("command", nargs="?", metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _end(error: Exception, *, debug: bool) -> int:
    """Say what is wrong in one line; an error that nobody raised on purpose is a bug, and says so."""
    from netwright.errors import NetwrightError

    if debug:
        raise error
    if isinstance(error, NetwrightError):
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    message = " ".join(f"{type(error).__name__}: {error}".split())
    print(f"error: {message}; this is a bug of netwright or a plugin; netwright --debug shows where", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(console())
