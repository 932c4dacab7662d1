"""The order: what netwright asks a supervisor to do, as it travels between them."""

import marshal
import struct

LENGTH = struct.Struct(">I")
KILL = b"k"
"""What netwright sends to have a program ended; that it closes its end means the same."""


class Order:
    """How to run one program.

    Attributes:
        argv: The program, found already, or bubblewrap around it.
        bubblewrap: Whether it is bubblewrap, which is then asked whether it came to start the program.
        environment: All variables that it gets.
        folder: Where it starts.
        descriptors: The numbers of the file descriptors that it inherits beside its standard output.
        rlimits: Resource, soft limit, hard limit.
        ruleset: Landlock's ruleset attributes, packed; empty for none.
        rules: What Landlock allows: path, access rights.
        socket_filter: Seccomp's instructions, packed; empty for none.
        drop_capabilities: Whether to take root's privileges from it.
        wall_s, cpu_s: Limits of the whole tree's time; 0 for none.
        memory: Limit of the whole tree's resident memory in bytes, without what files back; 0 for none.
        processes, threads: Limits of the whole tree; 0 for none.
        temporary: The folder to remove at the end.
        parent: The process whose end ends everything.
    """

    def __init__(
        self,
        *,
        argv: list[str],
        bubblewrap: bool,
        environment: dict[str, str],
        folder: str,
        descriptors: list[int],
        rlimits: list[tuple[int, int, int]],
        ruleset: bytes,
        rules: list[tuple[str, int]],
        socket_filter: bytes,
        drop_capabilities: bool,
        wall_s: float,
        cpu_s: float,
        memory: int,
        processes: int,
        threads: int,
        temporary: str,
        parent: int,
    ) -> None:
        self.argv = argv
        self.bubblewrap = bubblewrap
        self.environment = environment
        self.folder = folder
        self.descriptors = descriptors
        self.rlimits = rlimits
        self.ruleset = ruleset
        self.rules = rules
        self.socket_filter = socket_filter
        self.drop_capabilities = drop_capabilities
        self.wall_s = wall_s
        self.cpu_s = cpu_s
        self.memory = memory
        self.processes = processes
        self.threads = threads
        self.temporary = temporary
        self.parent = parent

    def pack(self) -> bytes:
        """The order as bytes."""
        return marshal.dumps(vars(self))

    @classmethod
    def unpack(cls, body: bytes) -> "Order":
        """The order that `pack` made bytes of."""
        return cls(**marshal.loads(body))
