"""What is said when this process ends without a word, because it was killed or a library ended it.

A small process beside it waits for its end, says it, and ends what this one has started and left behind. It looks at
this one's descendants all the time: afterwards nothing tells whose they were.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from superconv_tune.core.interruption import SIGNALS
from superconv_tune.core.processes import began, descendants

GRACE_S = 5.0  # in which processes may end by themselves
LOOK_S, LOOK_AT_ALL_S = 0.2, 3.0
STDERR = 2


@contextmanager
def last_words(first: str) -> Iterator[Callable[[str], None]]:
    """Say ``first`` on stderr if the process ends inside the block without leaving it.

    Enter it before the process has threads, which a fork does not copy.

    Yields:
        A function that replaces the words.
    """
    hear, speak = os.pipe()
    pid = os.getpid()
    beside = os.fork()
    if beside == 0:
        os.close(speak)
        _wait(hear, pid)
    os.close(hear)

    def replace(words: str) -> None:
        with suppress(OSError):  # somebody has ended the other process
            os.write(speak, f"{words}\0".encode())

    replace(first)
    try:
        yield replace
    finally:
        replace("")
        os.close(speak)
        with suppress(ChildProcessError):  # somebody else has waited for it
            os.waitpid(beside, 0)


def _wait(hear: int, pid: int) -> None:
    """In the other process: wait until this one, ``pid``, has ended; never returns."""
    for number in SIGNALS:  # a terminal sends them to all
        signal.signal(number, signal.SIG_IGN)
    heard, family = b"", dict[int, str]()
    while True:
        if not select.select([hear], [], [], LOOK_AT_ALL_S)[0]:
            family |= {child: began(child) for child in descendants(pid) if child != os.getpid()}
            continue
        chunk = os.read(hear, 2**16)
        if not chunk:
            break
        heard += chunk
        if heard.endswith(b"\0\0"):  # nothing is to be said
            os._exit(0)
    with suppress(OSError):
        os.write(STDERR, heard.split(b"\0")[-2] + b"\n")
    _end(family)
    os._exit(0)


def _end(family: Mapping[int, str]) -> None:
    """End those of these processes, known by number and beginning, that do not end by themselves."""
    end = time.monotonic() + GRACE_S
    while (left := [pid for pid, at in family.items() if at and began(pid) == at]) and time.monotonic() < end:
        time.sleep(LOOK_S)
    for pid in left:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
