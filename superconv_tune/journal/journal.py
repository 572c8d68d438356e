"""The append-only record of every study: one table of events, in the database that Optuna's studies use too."""

from __future__ import annotations

import json
import shlex
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

from sqlalchemy import (
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    exists,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import StorageError, UserError
from superconv_tune.core.secrets import masked, needs_encoding
from superconv_tune.record.events import Event, Opened
from superconv_tune.record.versions import NewerVersionError, stamped, upgraded

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
BACKENDS = ("sqlite", "postgresql")
CREATION_LOCK = zlib.crc32(b"superconv_tune_events")  # any number that no other program is likely to use
BUSY_S = 30.0  # how long a writer waits for another one's transaction

EVENTS = Table(
    "superconv_tune_events",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("study", String(255), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("payload", Text, nullable=False),  # not a JSON column: PostgreSQL's refuses NaN and infinity
    sqlite_autoincrement=True,
)
_IS_OPENED = EVENTS.c.kind == Opened.__name__
INDEXES = (
    Index("superconv_tune_events_of_study", EVENTS.c.study, EVENTS.c.id),
    # Two searches that start at once under one name both find it free; this index lets only one of them in.
    Index(
        "superconv_tune_opened_once", EVENTS.c.study, unique=True, sqlite_where=_IS_OPENED, postgresql_where=_IS_OPENED
    ),
)


class Journal:
    """The events of all studies in one database; events are only ever added.

    Each event is one transaction: if the writer is killed, every event for which `append` returned is kept, and none
    is kept in part.

    Args:
        storage_url: SQLAlchemy URL of a sqlite file (created if missing, with its folder) or a PostgreSQL database.

    Raises:
        UserError: if the database cannot be reached or written.
    """

    def __init__(self, storage_url: str) -> None:
        url = _url(storage_url)
        self._place = masked(storage_url)
        try:
            self._engine = _engine(url)
            self._prepare()
        except ModuleNotFoundError as error:
            raise UserError(
                f"The storage {self._place} needs the package {error.name!r}: pip install 'superconv-tune[postgres]'."
            ) from error
        except (SQLAlchemyError, OSError) as error:
            raise UserError(
                f"The storage {self._place} cannot be opened for writing: {_cause(error)}. Fix its path or rights, or "
                f"name another one with --storage."
            ) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, study: str, event: Event, *, again: bool = False) -> None:
        """Store one more event of the study; it is on disk when this returns.

        Args:
            study: name of the study.
            event: the event.
            again: this is a retry after an error; the event is stored only if it is not the study's last event already.

        Raises:
            UserError: if the study is opened a second time.
            StorageError: if the database does not accept the event.
        """
        payload = json.dumps(stamped(encode(event)))
        row = {"study": study, "kind": type(event).__name__, "payload": payload}
        last = select(EVENTS.c.kind, EVENTS.c.payload).where(EVENTS.c.study == study).order_by(EVENTS.c.id.desc())
        try:
            with self._engine.begin() as connection:
                if not again or connection.execute(last.limit(1)).first() != (row["kind"], payload):
                    connection.execute(insert(EVENTS), row)
        except IntegrityError as error:
            raise UserError(f"A study {study!r} exists in {self._place}. Choose another name.") from error
        except SQLAlchemyError as error:
            raise StorageError(
                f"The storage {self._place} did not accept an event of study {study!r}: {_cause(error)}. All earlier "
                f"ones are kept; fix it and continue with --resume {shlex.quote(study)}."
            ) from error

    def events(self, study: str) -> list[Event]:
        """All events of the study, in the order they were appended; none if it is unknown.

        Raises:
            UserError: if an event cannot be read, naming it.
        """
        wanted = select(EVENTS.c.id, EVENTS.c.kind, EVENTS.c.payload).where(EVENTS.c.study == study)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted.order_by(EVENTS.c.id)).all()
        return self._read(study, [(row.id, row.kind, row.payload) for row in rows])

    def names(self) -> list[str]:
        """The names of all studies, newest first."""
        with self._engine.connect() as connection:
            return list(connection.scalars(select(EVENTS.c.study).where(_IS_OPENED).order_by(EVENTS.c.id.desc())))

    def exists(self, name: str) -> bool:
        """Whether there is a study of this name."""
        with self._engine.connect() as connection:
            return bool(connection.scalar(select(exists().where(EVENTS.c.study == name))))

    def close(self) -> None:
        """Disconnect from the database."""
        self._engine.dispose()

    def _prepare(self) -> None:
        """Create what is missing, and test a write, so that a read-only database is found before the first trial."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # where two connections that create one table collide
                connection.execute(select(func.pg_advisory_xact_lock(CREATION_LOCK)))
            connection.execute(CreateTable(EVENTS, if_not_exists=True))
            for index in INDEXES:
                connection.execute(CreateIndex(index, if_not_exists=True))
            connection.commit()
            connection.execute(insert(EVENTS), {"study": "", "kind": "", "payload": ""})
            connection.rollback()

    def _read(self, study: str, rows: list[tuple[int, str, str]]) -> list[Event]:
        """The events in these rows (id, kind, JSON), with those of earlier versions upgraded."""
        place = (0, "")  # of the row that is being read, for the message

        def parsed() -> Iterator[tuple[str, dict[str, Any]]]:
            nonlocal place
            for number, kind, payload in rows:
                place = (number, kind)
                if kind not in KINDS:
                    raise UserError(
                        f"Event {number} of study {study!r} in {self._place} is of the unknown kind {kind!r}; known "
                        f"are {', '.join(KINDS)}. A newer version wrote it; read the study with that version."
                    )
                yield kind, json.loads(payload)

        try:
            return [decode(KINDS[kind], value) for kind, value in upgraded(parsed())]
        except NewerVersionError as error:
            raise UserError(
                f"Event {place[0]} of study {study!r} in {self._place} {error}. Read the study with the version that "
                f"wrote it, or a newer one."
            ) from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            number, kind = place
            raise UserError(
                f"Event {number} of study {study!r} in {self._place} is not a valid {kind}: {error}. Restore the "
                f"database from a copy, or start a new study."
            ) from error


def _url(storage_url: str) -> URL:
    if needs_encoding(storage_url):
        raise UserError(
            f"storage: the password in {masked(storage_url)!r} holds a character that has a meaning of its own in an "
            f"address. Write it percent-encoded: %40 for @, %2F for /, %3F for ?, %23 for #."
        )
    try:
        url = make_url(storage_url)
    except ArgumentError as error:
        raise UserError(
            f"storage: {masked(storage_url)!r} is not a database URL. Write sqlite:///path/to/studies.db or "
            f"postgresql://user@host/database."
        ) from error
    if url.get_backend_name() not in BACKENDS:
        raise UserError(f"storage: {url.get_backend_name()} is not supported; write a sqlite or postgresql URL.")
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)  # a server may drop a connection between two long trials
    if url.database and not url.database.startswith("file:"):  # which is a URI of sqlite's own and not a path
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _use_wal)
    return engine


def _use_wal(connection: Any, _record: object) -> None:
    """Turn on the write-ahead log, so that readers (a report, a dashboard) and the search do not block each other."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # what was appended survives a power cut, not only a kill


def _cause(error: Exception) -> str:
    return masked(str(getattr(error, "orig", None) or error).strip().replace("\n", " "))
