"""One lock around the creation of tables, whichever library creates them: two searches may begin in one new folder."""

from __future__ import annotations

import fcntl
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from sqlalchemy import create_engine, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import Address, masked
from superconv_tune.journal.connections import CallLimit, engine_options

BACKENDS = ("sqlite", "postgresql")
WAIT_S = 60.0  # all tables together take a few seconds
LOOK_EVERY_S = 0.05
LOCK = zlib.crc32(b"superconv_tune_schema")  # any number that no other program is likely to use


def url_of(storage: Address) -> URL:
    """The address for SQLAlchemy.

    Raises:
        UserError: if it is not that of a database that can be used.
    """
    try:
        url = make_url(storage.reveal())
    except (ArgumentError, ValueError) as error:
        raise UserError(
            f"storage: {storage.shown!r} is not a database URL. Write sqlite:///path/to/studies.db or "
            f"postgresql://user@host/database."
        ) from error
    if url.get_backend_name() not in BACKENDS:
        raise UserError(f"storage: {url.get_backend_name()} is not supported; write a sqlite or postgresql URL.")
    return url


@contextmanager
def opening(storage: Address) -> Iterator[None]:
    """Turn the failure to open the database into an error that says how to fix it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"The storage {storage} needs the package {error.name!r}: pip install 'superconv-tune[postgres]'."
        ) from error
    except (SQLAlchemyError, OSError) as error:
        raise UserError(
            f"The storage {storage} cannot be opened for writing: {cause_of(error)}. Fix its path or rights, or name "
            f"another one with --storage."
        ) from error


def cause_of(error: Exception) -> str:
    """What the database said, on one line and without a password."""
    return masked(str(getattr(error, "orig", None) or error).strip().replace("\n", " "))


@contextmanager
def creating_tables(storage: Address) -> Iterator[None]:
    """Keep every process that does the same with this storage waiting while the block runs.

    The block may create tables in another database, as MLflow's are, but must not ask for the lock again.

    Raises:
        UserError: if the storage cannot be opened.
    """
    url = url_of(storage)
    with ExitStack() as held:
        with opening(storage):
            held.enter_context(_lock(url))
        yield


def _lock(url: URL) -> AbstractContextManager[None]:
    if url.get_backend_name() == "postgresql":
        return _server_lock(url)
    if url.database and not url.database.startswith((":", "file:")):  # neither in memory nor a URI of sqlite's own
        return _file_lock(Path(f"{url.database}.lock"))
    return nullcontext()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Held until the file is closed, or the process has ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + WAIT_S
    with path.open("a") as file:
        while not _is_taken(file):
            if time.monotonic() > end:
                raise TimeoutError(f"another process has held {path} for {WAIT_S:g} s")
            time.sleep(LOOK_EVERY_S)
        yield


def _is_taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _server_lock(url: URL) -> Iterator[None]:
    """Held until the connection has ended."""
    place = str(url)  # in which SQLAlchemy hides the password
    engine = create_engine(url, **engine_options(url, CallLimit(place)))
    end = time.monotonic() + WAIT_S
    try:
        with engine.connect() as connection:
            # Asked again and again: no call to the database waits without end.
            while not connection.scalar(select(func.pg_try_advisory_lock(LOCK))):
                if time.monotonic() > end:
                    raise TimeoutError(f"another process has held its lock for {WAIT_S:g} s")
                time.sleep(LOOK_EVERY_S)
            yield
    finally:
        engine.dispose()
