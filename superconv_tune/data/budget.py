"""How much memory a decoder may take: one limit for all formats, held against what a header says, before decoding.

A file of kilobytes may unpack to gigabytes. Where a format announces nothing, as gzip does, reading stops at the limit.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from superconv_tune.core.errors import UserError
from superconv_tune.data.limits import memory_left

GIB = 2**30
SHARE = 0.5  # of the free memory; the rest is for what is made of the data
IF_UNKNOWN = 2 * GIB  # on systems that do not say how much is free
GZIP_MAGIC = b"\x1f\x8b"


def free_memory() -> int | None:
    """Bytes available without swapping, within a container's limit; None if the system does not report them."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
    left = memory_left()
    if kilobytes is None or left is None:
        return left if kilobytes is None else kilobytes * 1024
    return min(kilobytes * 1024, left)


def most_bytes() -> int:
    """Bytes that a decoder may take now; what was decoded before is no longer free."""
    free = free_memory()
    return IF_UNKNOWN if free is None else int(SHARE * free)


def require_memory(size: int, what: str) -> None:
    """Refuse to decode what would not fit.

    Args:
        size: bytes that decoding takes at most, as far as the header tells.
        what: the file, for the message.

    Raises:
        UserError: if that is more than a decoder may take.
    """
    most = most_bytes()
    if size > most:
        raise UserError(
            f"data: {what} takes {_words(size)} of memory once it is unpacked, and at most {_words(most)} may be used, "
            f"half of what is free. Is the file what you think it is? If so, keep fewer examples in it, or write a "
            f"function that makes a DataLoader: `task: {{factory: my_problem.py:task}}`."
        )


@contextmanager
def unpacked(path: Path, cost: float, *, is_packed: bool | None = None) -> Iterator[tuple[BinaryIO, int | None]]:
    """The content of a file, raw or gzipped, and its length if it is raw; reading more of it than fits is refused.

    Args:
        path: the file.
        cost: bytes of memory per byte of the content.
        is_packed: whether it is gzipped; None to tell by its first bytes.

    Raises:
        UserError: in the block, where the limit is passed.
    """
    with path.open("rb") as file:
        begin = file.read(len(GZIP_MAGIC))
        file.seek(0)
        if not (begin == GZIP_MAGIC if is_packed is None else is_packed):
            length = path.stat().st_size
            require_memory(int(cost * length), str(path))
            yield file, length
            return
        with gzip.GzipFile(fileobj=file) as inside:
            yield io.BufferedReader(_Limited(inside, cost, str(path))), None


class _Limited(io.RawIOBase):
    """Reads on until the memory that it takes is more than allowed."""

    def __init__(self, inside: gzip.GzipFile, cost: float, what: str) -> None:
        self._inside = inside
        self._cost = cost
        self._what = what
        self._most = most_bytes()
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._inside.readinto(buffer)
        self._seen += count
        if self._cost * self._seen > self._most:
            require_memory(max(self._most + 1, int(self._cost * self._seen)), self._what)
        return count


def _words(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 2**20:.0f} MiB"
