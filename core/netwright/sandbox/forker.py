"""The forker: a small process that lives as long as netwright and forks a supervisor whenever one is asked for.

To fork a process that runs already takes a tenth of the time that starting an interpreter takes; and it is safe, since
this one, unlike netwright, has no threads.
"""

import os
import signal
import socket

from netwright.sandbox.supervisor import serve_order

MOST_DESCRIPTORS = 250
"""The kernel's bound for one message is 253."""


def main(descriptor: int) -> None:
    """Fork a supervisor for each message until netwright closes its end.

    A message holds nothing but descriptors: the supervisor's end of its socket to netwright, what the program's output
    goes to, and those that the program inherits.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a supervisor
    with socket.socket(fileno=descriptor) as requests:
        requests.set_inheritable(False)
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, 1, MOST_DESCRIPTORS)
            if not message:
                return
            for received in descriptors:
                os.set_inheritable(received, False)  # no program may have them
            if os.fork() == 0:
                requests.close()
                _supervise(descriptors)
            for received in descriptors:
                os.close(received)


def _supervise(descriptors: list[int]) -> None:
    try:
        control, output, *received = descriptors
        serve_order(socket.socket(fileno=control), output, received)
    finally:
        os._exit(0)
