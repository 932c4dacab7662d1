"""The agent `fusion`: has its workers' imports begun, and then runs its workflow."""

from netwright.agent import BaseAgent, Job
from netwright.context import current_run
from netwright.errors import UserError
from netwright.harness.compiled import shared_compiler_cache
from netwright.harness.confinement import may_use_gpu
from netwright.harness.process import prepare_workers
from netwright.result import AgentResult
from netwright_fusion.config import FusionConfig

COMPILER = "torch._inductor.compile_fx"
"""Takes seconds to import, for everybody who compiles."""


class FusionAgent(BaseAgent[Job, AgentResult]):
    """Makes a case faster: profiles, plans, rewrites, verifies, measures, and keeps what is verified and faster."""

    config_class = FusionConfig
    config: FusionConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return (
            "You make the forward of PyTorch modules faster with graph rewrites and Triton kernels that are proven to "
            "compute the same."
        )

    def execute(self, input_data: Job) -> AgentResult:
        """Run the workflow to its end, or as far as its budgets go.

        Raises:
            UserError: The case is wrong, or nothing runs that has a folder.
            NetwrightError: The unmodified module itself cannot be run.
        """
        folder = current_run().folder
        if folder is None:
            raise UserError("agent 'fusion' has no folder to write into", why="nothing runs", remedy="netwright run")
        with shared_compiler_cache():
            if not may_use_gpu(input_data.case_options):
                prepare_workers(COMPILER)
            with current_run().step("load PyTorch"):
                from netwright_fusion.job import carry_out  # takes as long as what was begun just now
            return carry_out(input_data, self.config, folder.path)
