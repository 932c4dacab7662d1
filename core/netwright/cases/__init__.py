"""Cases: the models that everything else works on."""

from netwright.cases.case import Case, CaseOptions, Distribution, Inputs, Mode, Tolerance, map_tensors

__all__ = ["Case", "CaseOptions", "Distribution", "Inputs", "Mode", "Tolerance", "map_tensors"]
