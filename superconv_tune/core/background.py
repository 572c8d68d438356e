"""A block that is entered and left in a thread of its own, beside what the program does meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from threading import Event, Thread
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Begins to enter a context manager when its own block is entered, and has left it when its own block ends.

    One thread does both, because processes that a thread started may be ended with that thread, as Ray's are.

    Args:
        enter: makes the context manager, in that thread.
    """

    def __init__(self, enter: Callable[[], AbstractContextManager[T]]) -> None:
        self._enter = enter
        self._entered: Future[T] = Future()
        self._is_over = Event()
        self._thread = Thread(target=self._stay, name="background", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        # Not before the end of the block: the process ends if Ray is used while another thread shuts it down.
        self._is_over.set()
        self._thread.join()

    def wait(self) -> T:
        """What the context manager yields, once it has been entered; raises what entering it raised."""
        return self._entered.result()

    def _stay(self) -> None:
        try:
            with self._enter() as value:
                self._entered.set_result(value)
                self._is_over.wait()
        except BaseException as error:
            if self._entered.done():
                raise
            self._entered.set_exception(error)
