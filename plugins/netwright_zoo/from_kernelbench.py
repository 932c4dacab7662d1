"""Cases from KernelBench problem files: `kernelbench:FILE`."""

from pathlib import Path

from netwright.cases import Case, CaseOptions
from netwright.cases.script import script_case
from netwright.errors import UserError
from netwright.loading import defined_names, parse_script

REQUIRED = ("Model", "get_inputs", "get_init_inputs")


def load_kernelbench_case(reference: str, options: CaseOptions) -> Case:
    """The case of a problem file, in the mode in which its constructor leaves it unless told otherwise.

    The file defines `Model`, built as `Model(*get_init_inputs())` and called as `model(*get_inputs())`. Inputs are
    drawn by `get_inputs()` under the seed; distributions other than the file's own are made from that draw.

    Args:
        reference: The path of the file.
        options: `constants` override the file's top-level constants.

    Raises:
        UserError: The file does not import, is no such problem, or has no such constant.
    """
    path = Path(reference)
    missing = [name for name in REQUIRED if name not in defined_names(parse_script(path))]
    if missing:
        raise UserError(f"{path} is no KernelBench problem", why=f"it does not define {', '.join(missing)}")
    return script_case(path, "Model", options, mode=None)
