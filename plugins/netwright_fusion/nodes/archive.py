"""Archive: the module that is handed back, and everything about it, in the run folder that is then closed."""

from netwright.files import write_json, write_text
from netwright_fusion.engineer import MODULE
from netwright_fusion.state import FusionState
from netwright_fusion.workbench import Workbench


def archive(bench: Workbench, state: FusionState) -> dict[str, object]:
    """Put the delivered module into the run folder's root; the runner closes the folder into a bundle."""
    if state.module is None:
        return {}
    write_text(bench.root / MODULE, (bench.root / state.module).read_text(encoding="utf-8"))
    told = {"case", "best", "speedup", "rules", "kernels", "dropped", "rejected"}
    summary = state.model_dump(mode="json", include=told)
    write_json(bench.root / "experiment.json", summary)
    return {"module": MODULE}
