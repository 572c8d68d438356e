"""What a thread of its own does, beside what the program does meanwhile, and never longer than the program lives."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from queue import SimpleQueue
from threading import Event, Thread
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_bounded: list[Thread] = []  # of `within`, in this process


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


class OneByOne:
    """Makes calls one after the other in a thread of its own, which ends with the process, whatever it waits for.

    A `ThreadPoolExecutor` would keep the process from ending until its call has returned.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[None], Callable[[], None]]] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._began_at = math.inf

    @property
    def call_s(self) -> float:
        """For how many seconds the present call has been waited for; 0 if there is none."""
        return max(0.0, time.monotonic() - self._began_at)

    def submit(self, call: Callable[[], None]) -> Future[None]:
        """Make this call after all earlier ones."""
        done: Future[None] = Future()
        self._calls.put((done, call))
        if not self._thread.is_alive():
            self._thread.start()
        return done

    def _work(self) -> None:
        while True:
            done, call = self._calls.get()
            self._began_at = time.monotonic()
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - it is raised where the call is waited for
                done.set_exception(error)
            else:
                done.set_result(None)
            self._began_at = math.inf


def within(seconds: float, work: Callable[[], T], otherwise: T) -> T:
    """What ``work`` returns or raises; ``otherwise`` if it takes longer, and then it is left to itself.

    Its thread ends with the process, whatever it still waits for.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            done.set_exception(error)

    thread = Thread(target=run, name="bounded", daemon=True)
    _bounded.append(thread)
    thread.start()
    try:
        return done.result(seconds)
    except TimeoutError:
        if done.done():
            raise  # the work's own
        return otherwise


def end_if_left(code: int) -> None:
    """End the process here and now, with this exit code, if work of `within` is left to itself and still going on.

    The interpreter would take away what that work uses while it uses it, and the process would abort.
    """
    if not any(thread.is_alive() for thread in _bounded):
        return
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
