"""`netwright collect|report|archive`: what becomes of finished runs."""

import argparse
from pathlib import Path

from netwright.console import console, error_console


def main(command: str, arguments: list[str]) -> int:
    """Dispatch to the command of that name."""
    return {"collect": _collect, "report": _report, "archive": _archive}[command](arguments)


def _collect(arguments: list[str]) -> int:
    from netwright.collect import collect

    parser = argparse.ArgumentParser(prog="netwright collect", description="Make one table of the runs below a folder.")
    parser.add_argument("folder", type=Path, help="a sweep's folder, or any folder that holds runs")
    parser.add_argument("--metric", action="append", dest="metrics", help="show only this metric (repeatable)")
    parser.add_argument("--out", type=Path, help="where to write collected.csv, .json and .html; FOLDER by default")
    options = parser.parse_args(arguments)
    collection = collect(options.folder, metrics=options.metrics)
    console.print(collection)
    for path in collection.write(options.out or options.folder):
        console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _report(arguments: list[str]) -> int:
    from netwright.report import write_report

    parser = argparse.ArgumentParser(prog="netwright report", description="Write a run's report.html again.")
    parser.add_argument("folder", type=Path, help="the run's folder")
    path = write_report(parser.parse_args(arguments).folder)
    console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _archive(arguments: list[str]) -> int:
    from netwright.archive import make_bundle, verify_bundle

    parser = argparse.ArgumentParser(prog="netwright archive", description="Bundle runs with checksums.")
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = commands.add_parser("create", help="close a run into archive/TIMESTAMP-NAME-SPEEDUP")
    create.add_argument("folder", type=Path, help="the run's folder")
    create.add_argument("--name", help="default: the experiment's, else agent and case")
    create.add_argument("--root", type=Path, default=Path("archive"), help="where bundles lie (default: archive)")
    verify = commands.add_parser("verify", help="check a bundle's files against its manifest")
    verify.add_argument("folder", type=Path, help="the bundle's folder")
    options = parser.parse_args(arguments)
    if options.action == "create":
        bundle = make_bundle(options.folder, archive_root=options.root, experiment_name=options.name)
        console.print(f"wrote {bundle}", markup=False, highlight=False, soft_wrap=True)
        return 0
    check = verify_bundle(options.folder)
    (console if check.ok else error_console).print(check)
    return 0 if check.ok else 1
