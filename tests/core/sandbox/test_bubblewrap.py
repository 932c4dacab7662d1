"""Bubblewrap's command line."""

from pathlib import Path

from netwright.sandbox.bubblewrap import Bubblewrap
from netwright.sandbox.reach import Reach

REACH = Reach(
    readable=("/usr", "/project/.venv", "/usr/lib", "/data"),
    writable=("/project", "/data/out"),
    links=(("/bin", "usr/bin"),),
    devices=("/dev/nvidia0",),
    temporary="/private",
)


def wrap(*, network: bool = False, user_namespace: bool = True) -> str:
    bubblewrap = Bubblewrap(Path("/bwrap"), user_namespace=user_namespace)
    return " ".join(bubblewrap.wrap(["python", "x.py"], REACH, Path("/project"), network=network))


def test_inner_folders_are_bound_after_the_outer_ones() -> None:
    command = wrap()
    order = ["--ro-bind /data ", "--bind /project /project", "--bind /data/out", "--ro-bind /project/.venv"]
    places = [command.index(part) for part in order]
    assert places == sorted(places)
    assert "/usr/lib" not in command


def test_links_devices_and_shared_memory_are_there() -> None:
    command = wrap()
    assert "--symlink usr/bin /bin" in command
    assert "--dev-bind /dev/nvidia0 /dev/nvidia0" in command
    assert "--bind /private/shm /dev/shm" in command
    assert command.endswith("--remount-ro /dev --remount-ro / --chdir /project -- python x.py")


def test_the_network_is_a_choice() -> None:
    assert "--unshare-net" in wrap()
    assert "--unshare-net" not in wrap(network=True)
    assert "--unshare-user" not in wrap(user_namespace=False)
