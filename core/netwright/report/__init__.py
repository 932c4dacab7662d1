"""Reports: what lies in a run's folder, or in a collection of runs, as one HTML page that needs nothing else."""

from netwright.report.collection import collection_page
from netwright.report.run import write_report

__all__ = ["collection_page", "write_report"]
