"""What is said when this process ends without a word, because it was killed or a library ended it.

A small process beside it waits for its end, says it, and ends what this one has started and left behind.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from superconv_tune.core.interruption import SIGNALS

MARK = "SUPERCONV_TUNE_DRIVER"  # variable in the environment of every process that this one starts
PROC = Path("/proc")
GRACE_S = 5.0  # in which processes may end by themselves
LOOK_S = 0.2
STDERR = 2


@contextmanager
def last_words(first: str) -> Iterator[Callable[[str], None]]:
    """Say ``first`` on stderr if the process ends inside the block without leaving it.

    Enter it before the process has threads, which a fork does not copy.

    Yields:
        A function that replaces the words.
    """
    mark = secrets.token_hex(8)
    hear, speak = os.pipe()
    if os.fork() == 0:
        os.close(speak)
        _wait(hear, mark)
    os.close(hear)
    os.environ[MARK] = mark

    def replace(words: str) -> None:
        with suppress(OSError):  # somebody has ended the other process
            os.write(speak, f"{words}\0".encode())

    replace(first)
    try:
        yield replace
    finally:
        replace("")
        os.close(speak)


def _wait(hear: int, mark: str) -> None:
    """In the other process: wait until this one has ended; never returns."""
    for number in SIGNALS:  # a terminal sends them to all
        signal.signal(number, signal.SIG_IGN)
    heard = b""
    while chunk := os.read(hear, 2**16):
        heard += chunk
        if heard.endswith(b"\0\0"):  # nothing is to be said
            os._exit(0)
    with suppress(OSError):
        os.write(STDERR, heard.split(b"\0")[-2] + b"\n")
    _end_left_behind(mark)
    os._exit(0)


def _end_left_behind(mark: str) -> None:
    end = time.monotonic() + GRACE_S
    while (left := marked(mark)) and time.monotonic() < end:
        time.sleep(LOOK_S)
    for pid in left:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """Living processes that were started with this mark in their environment; none where the system does not tell."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for place in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found
