"""One driver owns a study: how it takes the study over, and how it notices that another one has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console

from superconv_tune.core.errors import StorageError
from superconv_tune.journal.journal import Journal

LOOK_S = 2.0
LEAVE_S = 15.0  # longest wait for the earlier driver to end: a look, the end of its trials, and that of its Ray


def take_over(journal: Journal, name: str, console: Console) -> None:
    """Drive the study from now on; an earlier driver on this machine that still lives is told, and given time to end.

    Whether it ends or not, it can store nothing any more.

    Raises:
        StorageError: if the database does not answer.
    """
    before = journal.take_over(name)
    if before is None or before.is_this_process or before.is_gone:
        return
    console.print(f"{name} was driven by {before}, which is to stop now.", markup=False)
    end = time.monotonic() + (LEAVE_S if before.is_visible else 0.0)
    while not before.is_gone and time.monotonic() < end:
        time.sleep(0.1)


@contextmanager
def watched(journal: Journal, name: str, on_loss: Callable[[], None]) -> Iterator[None]:
    """Call ``on_loss`` once, from a thread, if another driver takes the study over while the block runs."""
    is_over = Event()

    def watch() -> None:
        while not is_over.wait(LOOK_S):
            try:
                if not journal.owns(name):
                    on_loss()
                    return
            except StorageError:
                continue

    Thread(target=watch, name="lease", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()
