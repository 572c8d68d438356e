"""The process that drives a study, and whether it can be seen to be gone."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

from superconv_tune.core.processes import PROC, began


@dataclass(frozen=True)
class Holder:
    """A process, as it is noted beside the lease of a study.

    Attributes:
        host: name of its machine.
        machine: what else tells machines and containers apart: the system's start, and the name space of its processes.
        pid: number of the process.
        began: when the process began, as the system counts it; a later process may have the same number.
    """

    host: str
    machine: str
    pid: int
    began: str

    @staticmethod
    def this_process() -> Holder:
        """The process that asks."""
        return Holder(platform.node(), _machine(), os.getpid(), began(os.getpid()))

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return self == Holder.this_process()

    @property
    def is_visible(self) -> bool:
        """Whether it would be seen from here while it lives."""
        return (self.host, self.machine) == (platform.node(), _machine())

    @property
    def is_gone(self) -> bool:
        """Whether it can be seen to have ended; False where that cannot be seen."""
        if not self.is_visible:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # of another user, and alive
            return False
        return began(self.pid) != self.began

    def __str__(self) -> str:
        """In words, for messages."""
        return f"process {self.pid} on {self.host}"


def _machine() -> str:
    try:
        start = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{start} {os.readlink(PROC / 'self/ns/pid')}"  # noqa: PTH115 - it is no path
    except OSError:
        return ""
