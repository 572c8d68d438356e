"""Connections to a database: every one is opened here, and no call on it waits without end.

The journal and Optuna's study share them, so that one limit holds for both.
"""

from __future__ import annotations

import math
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy.engine import URL

from superconv_tune.core.errors import StorageError

CALL_S = 10.0  # how long a call may take: longer than a busy database needs, shorter than anybody's patience
LEAST_S = 2.0  # of a call near the end; libpq knows no shorter one for connecting
PAUSE_S = 2.0  # after a call that ran out of time; longer than Optuna waits before it tries again
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class CallLimit:
    """How long a call to the database may take, for all connections to it; also breaks the circuit for a moment.

    Args:
        place: the database, for messages.
        clock: Unix time in seconds.

    Attributes:
        ends_at: Unix time after which every call is short.
    """

    def __init__(self, place: str, clock: Callable[[], float] = time.time) -> None:
        self.ends_at = math.inf
        self._place = place
        self._clock = clock
        self._ran_out_at = -math.inf

    @property
    def seconds(self) -> float:
        """How long a call that begins now may take."""
        return max(LEAST_S, min(CALL_S, self.ends_at - self._clock()))

    def ran_out(self) -> None:
        """Take note that a call took too long."""
        self._ran_out_at = self._clock()

    def check(self) -> None:
        """Refuse a call if another one ran out of time a moment ago.

        Raises:
            StorageError: then; not an error of a driver, which Optuna would meet with four more attempts.
        """
        if self._clock() - self._ran_out_at < PAUSE_S:
            raise StorageError(
                f"The storage {self._place} does not answer. All earlier events are kept; continue with --resume NAME "
                f"once it does."
            )


def engine_options(url: URL, limit: CallLimit) -> Mapping[str, Any]:
    """What SQLAlchemy's ``create_engine`` needs so that every connection keeps to the limit.

    Raises:
        ModuleNotFoundError: if the driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"factory": _sqlite(limit)}}
    options: dict[str, Any] = {"pool_pre_ping": True}  # a server may drop a connection between two long trials
    if url.drivername == "postgresql+psycopg":
        options["creator"] = _psycopg(url, limit)
    return options


def _sqlite(limit: CallLimit) -> type[sqlite3.Connection]:
    """A class of connections that wait for another writer no longer than the limit."""

    class Cursor(sqlite3.Cursor):
        def execute(self, *statement: Any) -> Cursor:
            with self._limited():
                return super().execute(*statement)

        def executemany(self, *statement: Any) -> Cursor:
            with self._limited():
                return super().executemany(*statement)

        @contextmanager
        def _limited(self) -> Iterator[None]:
            limit.check()
            super().execute(f"PRAGMA busy_timeout = {math.ceil(1000 * limit.seconds)}")
            try:
                yield
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                    limit.ran_out()
                raise

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    return Connection


def _psycopg(url: URL, limit: CallLimit) -> Callable[[], Any]:
    """A function that opens a connection on which every statement keeps to the limit.

    A server may accept a statement and never answer it, which no option of libpq or of the server guards against.
    """
    import psycopg  # noqa: PLC0415 - an extra

    class Connection(psycopg.Connection[Any]):
        def wait(self, *arguments: Any, **options: Any) -> Any:
            """Wait for the server's answer, which every statement, commit and rollback does here."""
            seconds = limit.seconds
            with _hung_up(self.pgconn.socket, seconds) as is_late:
                try:
                    return super().wait(*arguments, **options)
                except psycopg.OperationalError as error:
                    if not is_late():
                        raise
                    limit.ran_out()
                    raise psycopg.OperationalError(f"no answer within {seconds:.0f} s") from error

    arguments, options = url.get_dialect()().create_connect_args(url)

    def connect() -> Any:
        limit.check()
        seconds = math.ceil(limit.seconds)
        try:
            return Connection.connect(*arguments, **{"connect_timeout": seconds, **KEEPALIVE, **options})
        except psycopg.errors.ConnectionTimeout:
            limit.ran_out()
            raise

    return connect


@contextmanager
def _hung_up(handle: int, seconds: float) -> Iterator[Callable[[], bool]]:
    """Shut the socket down after so many seconds, which ends any wait for it; yields whether that was done."""
    # A handle of our own: libpq's may be closed, and its number given to another file, meanwhile.
    with socket.socket(fileno=os.dup(handle)) as line:
        is_late = threading.Event()

        def hang_up() -> None:
            is_late.set()
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield is_late.is_set
        finally:
            timer.cancel()
            timer.join()
