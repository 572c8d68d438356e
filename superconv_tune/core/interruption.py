"""What Ctrl-C, SIGTERM and SIGHUP do: the same, from the command to its exit.

A signal raises `Interrupted`, which a command answers with one line. Where a search has something to save, it
answers the first signal itself, and only the second one ends the program.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The user ended the program.

    A class of its own, because Python kills its process at its end, whatever the exit code, where a KeyboardInterrupt
    itself has passed through an ``exec``, as those of imports are.
    """


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, every signal raises `Interrupted`."""
    with _handled(lambda: None, at_once=True):
        yield


@contextmanager
def interruptible_twice(first: Callable[[], None]) -> Iterator[None]:
    """Inside, the first signal calls ``first``, and every further one raises `Interrupted`."""
    with _handled(first, at_once=False):
        yield


@contextmanager
def _handled(first: Callable[[], None], *, at_once: bool) -> Iterator[None]:
    if current_thread() is not main_thread():  # where signals do not arrive
        yield
        return
    is_second = at_once
    terminals = [stream for stream in (0, 1, 2) if os.isatty(stream)]  # not known any more once they are closed

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal is_second
        if number == signal.SIGHUP:
            _leave(terminals)
        if is_second:
            raise Interrupted
        is_second = True
        first()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    # ``nohup`` has a command go on when its terminal is closed.
    taken = [number for number in SIGNALS if number != signal.SIGHUP or before[number] != signal.SIG_IGN]
    for number in taken:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def _leave(terminals: list[int]) -> None:
    """Drop what is printed from now on to a terminal that was closed: writing there would fail."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in terminals:
        os.dup2(nowhere, stream)
    os.close(nowhere)
