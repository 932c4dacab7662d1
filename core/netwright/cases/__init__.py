"""Cases: the models that everything else works on."""

from netwright.cases.case import Case, CaseOptions, Distribution, Inputs, Mode, Tolerance, map_tensors
from netwright.cases.load import load_case

__all__ = ["Case", "CaseOptions", "Distribution", "Inputs", "Mode", "Tolerance", "load_case", "map_tensors"]
