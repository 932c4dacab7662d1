"""The workflow: data collection, strategy decision, implementation, verification feedback and archive."""

from functools import partial

from netwright.workflow import END, Route, Workflow
from netwright_fusion.nodes.archive import archive
from netwright_fusion.nodes.collect_data import collect_data
from netwright_fusion.nodes.decide_strategy import decide_strategy
from netwright_fusion.nodes.implement import implement
from netwright_fusion.nodes.verify import verify
from netwright_fusion.state import FusionState
from netwright_fusion.workbench import Workbench


def fusion_workflow(bench: Workbench) -> Workflow[FusionState]:
    """The seed's five nodes over one workbench."""
    return Workflow(
        "fusion",
        FusionState,
        nodes={
            "collect_data": partial(collect_data, bench),
            "decide_strategy": partial(decide_strategy, bench),
            "implement": partial(implement, bench),
            "verify": partial(verify, bench),
            "archive": partial(archive, bench),
        },
        edges={
            "collect_data": "decide_strategy",
            "decide_strategy": Route(after_decision, to=("implement", "archive")),
            "implement": "verify",
            "verify": Route(after_verification, to=("implement", "decide_strategy")),
            "archive": END,
        },
    )


def after_decision(state: FusionState) -> str:
    """To the archive once approved, else on with the plan."""
    return "archive" if state.approved else "implement"


def after_verification(state: FusionState) -> str:
    """Back to the engineer with what failed, or on to the analyst for approval."""
    return "implement" if state.retry else "decide_strategy"
