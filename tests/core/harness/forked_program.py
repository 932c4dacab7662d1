"""What the tests of the fork server have split off: it says what it finds around it, and then does as it is told."""

import os
import signal
import socket
import sys
import time
from pathlib import Path


def main(descriptor: int) -> None:
    """Answer one command per datagram."""
    connection = socket.socket(fileno=descriptor)
    while command := connection.recv(1 << 10).decode():
        match command.split():
            case ["variable", name]:
                answer = os.environ.get(name, "")
            case ["folder"]:
                answer = str(Path.cwd())
            case ["imported", name]:
                answer = str(name in sys.modules)
            case ["parent"]:
                answer = str(os.getppid())
            case ["group"]:
                answer = str(os.getpgid(0) == os.getpid())
            case ["descriptors"]:
                answer = str(len(list(Path("/proc/self/fd").iterdir())))
            case ["print", word]:
                print(word)
                answer = ""
            case ["exit", code]:
                sys.exit(int(code))
            case ["abort"]:
                os.kill(os.getpid(), signal.SIGABRT)
                time.sleep(60)
            case _:
                raise ValueError(command)
        connection.send(f"{answer}.".encode())
