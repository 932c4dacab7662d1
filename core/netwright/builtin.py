"""The plugin that core itself brings, through the same hooks as everyone's."""

from netwright import hookimpl
from netwright.specs import CaseSourceSpec, ToolSpec


@hookimpl
def netwright_case_sources() -> list[CaseSourceSpec]:
    """Cases from folders with a manifest, and from any Python file."""
    return [
        CaseSourceSpec(
            name="folder",
            summary="A folder with manifest.yaml and model.py; a bare name means this scheme",
            target="netwright.cases.folder:load_folder_case",
            examples=("digits_cnn",),
        ),
        CaseSourceSpec(
            name="script",
            summary="A module class of any Python file",
            target="netwright.cases.script:load_script_case",
            examples=("script:path/to/model.py:ClassName",),
        ),
    ]


@hookimpl
def netwright_tools() -> list[ToolSpec]:
    """The harness's tools."""
    return [
        ToolSpec(
            name="profiler_tool",
            summary="Profile a case's forward, operator by operator",
            target="netwright.harness.tools:profiler_tool",
        ),
        ToolSpec(
            name="verification_tool",
            summary="Judge a variant of a case: correctness, performance, compilation",
            target="netwright.harness.tools:verification_tool",
        ),
    ]
