"""Confinement: how a process gives up what a caged program must not have, and becomes that program."""

import ctypes
import os
import resource
import signal
import struct

from netwright.sandbox.order import Order

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, FILTER_INSTRUCTION_BYTES = 22, 2, 8
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
LAST_CAPABILITY = 63
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
RULE_PATH_BENEATH = 1
SETUP_FAILED = 126
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""A program would inherit that."""

_libc = ctypes.CDLL(None, use_errno=True)


def become_supervisor() -> None:
    """Adopt the orphans among this process's descendants, and let no other process look into this one."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _checked(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    _checked(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))


def become_program(order: Order, received: list[int], supervisor: int) -> None:
    """Confine this process and turn it into the program; it dies with its supervisor.

    Args:
        received: The descriptors that the program is to have under the order's numbers; none of them is such a number.
    """
    os.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        os._exit(SETUP_FAILED)
    for number in IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    os.chdir(order.folder)
    for wanted, descriptor in zip(order.descriptors, received, strict=True):
        os.dup2(descriptor, wanted, inheritable=True)
    for kind, soft, hard in order.rlimits:
        most = resource.getrlimit(kind)[1]
        bound = max(soft, hard) if most == resource.RLIM_INFINITY else most
        resource.setrlimit(kind, (min(soft, bound), min(hard, bound)))
    if order.drop_capabilities:
        for capability in range(LAST_CAPABILITY + 1):
            _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to those who have none
        _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if order.ruleset:
        _put_landlock_in_force(order.ruleset, order.rules)
    if order.socket_filter:
        _put_filter_in_force(order.socket_filter)
    os.execve(order.argv[0], order.argv, order.environment)


def _put_landlock_in_force(ruleset: bytes, rules: list[tuple[str, int]]) -> None:
    handle = _checked(_libc.syscall(LANDLOCK_CREATE_RULESET, ruleset, len(ruleset), 0))
    for path, access in rules:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:  # what is not there needs no permission
            continue
        rule = struct.pack("=Qi", access, descriptor)
        _checked(_libc.syscall(LANDLOCK_ADD_RULE, handle, RULE_PATH_BENEATH, rule, 0))
        os.close(descriptor)
    _checked(_libc.syscall(LANDLOCK_RESTRICT_SELF, handle, 0))
    os.close(handle)


def _put_filter_in_force(instructions: bytes) -> None:
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    program = struct.pack("@HP", len(instructions) // FILTER_INSTRUCTION_BYTES, ctypes.addressof(buffer))
    _checked(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
