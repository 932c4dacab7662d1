"""What is said between a fork server and whoever started it: a datagram of JSON each, with descriptors beside."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

LARGEST_MESSAGE = 1 << 16


class Import(BaseModel):
    """Import modules that later workers will want; has no reply."""

    kind: Literal["import"] = "import"
    modules: tuple[str, ...]


class Fork(BaseModel):
    """Split off a process in which a module's `main(descriptor)` is called.

    Two descriptors come with it: the socket that `main` gets, and where the process writes what it prints.
    """

    kind: Literal["fork"] = "fork"
    number: int
    module: str
    folder: str


class Wait(BaseModel):
    """Wait for a process to end."""

    kind: Literal["wait"] = "wait"
    number: int
    pid: int
    seconds: float


class Reply(BaseModel):
    """The answer to the request with that number.

    A new process's pid; or an exit code, negative for a signal, and None while the process goes on running.
    """

    number: int
    value: int | None


REQUEST = TypeAdapter[Any](Annotated[Import | Fork | Wait, Field(discriminator="kind")])
