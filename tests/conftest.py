"""Fixtures of the public test kit, and one thread per process so that parallel work on few cores stays quick."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["netwright.testing"]
