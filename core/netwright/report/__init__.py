"""Reports: what lies in a run's folder as one HTML page that needs nothing else."""

from netwright.report.run import write_report

__all__ = ["write_report"]
