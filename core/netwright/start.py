"""How netwright's processes start: `-m netwright.start MODULE SOCKET [ARGUMENT]...` calls the module's `main`."""

import gc
import sys
from importlib import import_module

NEW_OBJECTS = 10_000
"""As many make Python look for garbage; its default is a few hundred or thousand, by version."""


def collect_rarely() -> None:
    """Look for garbage less often: PyTorch and its compiler bring millions of objects that stay, and with Python's
    default a fifth of the seconds that their imports take goes into looking at them.
    """
    gc.set_threshold(NEW_OBJECTS)


if __name__ == "__main__":
    collect_rarely()
    module, descriptor, *arguments = sys.argv[1:]
    import_module(module).main(int(descriptor), *arguments)
