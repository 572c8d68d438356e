"""The append-only record of every study: one table of events, in the database that Optuna's studies use too."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

from sqlalchemy import (
    Column,
    Connection,
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
    insert,
    select,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import StorageError, TakenOverError, UserError
from superconv_tune.core.secrets import Address
from superconv_tune.journal.connections import CallLimit, engine_options
from superconv_tune.journal.holder import Holder
from superconv_tune.journal.ledger import LOOKS, Ledger
from superconv_tune.journal.schema import cause_of, creating_tables, opening, url_of
from superconv_tune.record.events import Event, Opened
from superconv_tune.record.versions import NewerVersionError, stamped, upgraded

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}

FREE = json.dumps(None)  # holder of a study that its last driver has given back

TABLES = MetaData()
EVENTS = Table(
    "superconv_tune_events",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("study", String(255), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("payload", Text, nullable=False),  # not a JSON column: PostgreSQL's refuses NaN and infinity
    sqlite_autoincrement=True,
)
LEASES = Table(
    "superconv_tune_leases",
    TABLES,
    Column("study", String(255), primary_key=True),
    Column("epoch", Integer, nullable=False),  # one more with every driver
    Column("holder", Text, nullable=False),
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

    A study has one driver: whoever opened it, or took it over last. Its lease has a number, the epoch, and an event is
    stored only while the epoch is still that of its writer, in one transaction with that check.

    Args:
        storage: SQLAlchemy URL of a sqlite file (created if missing, with its folder) or a PostgreSQL database.

    Attributes:
        limit: how long a call to the database may take.
        options: what ``create_engine`` needs for further connections under the same limit.

    Raises:
        UserError: if the database cannot be reached or written.
    """

    def __init__(self, storage: Address | str) -> None:
        address = Address.of(storage, "storage")
        self._place = address.shown
        self._epochs: dict[str, int] = {}  # of the studies that this journal drives
        self._is_away = False  # the last call to the database failed
        self.limit = CallLimit(self._place)
        with opening(address):
            url = url_of(address)
            self.options: Mapping[str, Any] = engine_options(url, self.limit)
            self._engine = _engine(url, self.options)
            with creating_tables(address):
                self._prepare()

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
            event: the event; with `Opened` the study is this journal's to drive.
            again: this is a retry after an error; the event is stored only if it is not the study's last event already.

        Raises:
            UserError: if the study is opened a second time.
            TakenOverError: if another driver has taken the study over, or this journal never did.
            StorageError: if the database does not accept the event.
        """
        epoch = 1 if isinstance(event, Opened) else self._epochs.get(study, 0)
        try:
            self._store(study, [event], epoch, again=again)
        except IntegrityError as error:
            raise UserError(f"A study {study!r} exists in {self._place}. Choose another name.") from error
        self._epochs[study] = epoch

    def append_missing(self, study: str, events: Sequence[Event], epoch: int) -> None:
        """Store events that the driver of this epoch could not store; those that the study has already are left out.

        Raises:
            TakenOverError: if another driver has taken the study over since.
            StorageError: if the database does not accept them.
        """
        self._store(study, events, epoch, again=True)

    def epoch(self, study: str) -> int:
        """Number of the lease with which this journal drives the study; 0 if it does not."""
        return self._epochs.get(study, 0)

    def owns(self, study: str) -> bool:
        """Whether this journal still drives the study.

        Raises:
            StorageError: if the database does not answer.
        """
        with self._reading(study) as connection:
            epoch = connection.scalar(select(LEASES.c.epoch).where(LEASES.c.study == study))
        return epoch == self._epochs.get(study, 0)

    def is_driven(self, study: str) -> bool:
        """Whether the study may have a driver: it cannot be seen to be gone, or is not known.

        Raises:
            StorageError: if the database does not answer.
        """
        with self._reading(study) as connection:
            holder = connection.scalar(select(LEASES.c.holder).where(LEASES.c.study == study))
        if holder is None:
            return True
        driver = _driver(holder)
        return driver is not None and not driver.is_gone

    def take_over(self, study: str) -> Holder | None:
        """Drive the study from now on: whatever its last driver would still append is refused.

        Returns:
            The last driver; None if it gave the study back, or is not known.

        Raises:
            StorageError: if the database does not accept it.
        """
        try:
            return self._take_over(study)
        except IntegrityError:  # of two that take over a study without a driver, the other was first
            return self._take_over(study)

    def events(self, study: str) -> list[Event]:
        """All events of the study, in the order they were appended; none if it is unknown.

        Raises:
            UserError: if an event cannot be read, naming it.
            StorageError: if the database does not answer.
        """
        wanted = select(EVENTS.c.id, EVENTS.c.kind, EVENTS.c.payload).where(EVENTS.c.study == study)
        with self._reading(study) as connection:
            rows = connection.execute(wanted.order_by(EVENTS.c.id)).all()
        return self._read(study, [(row.id, row.kind, row.payload) for row in rows])

    def names(self) -> list[str]:
        """The names of all studies, newest first."""
        with self._reading() as connection:
            return list(connection.scalars(select(EVENTS.c.study).where(_IS_OPENED).order_by(EVENTS.c.id.desc())))

    def exists(self, name: str) -> bool:
        """Whether there is a study of this name."""
        with self._reading(name) as connection:
            return bool(connection.scalar(select(exists().where(EVENTS.c.study == name))))

    def ledger(self, test_part: str) -> Ledger:
        """The looks at a test part, given by its digest."""
        return Ledger(self._engine, self._place, test_part)

    def close(self) -> None:
        """Give back the studies that this journal drives, unless the database is away, and disconnect."""
        for study, epoch in self._epochs.items():
            lease = LEASES.c.study == study, LEASES.c.epoch == epoch
            if self._is_away:
                break
            with (
                suppress(StorageError),
                self._errors("did not take the study back", study),
                self._engine.begin() as connection,
            ):
                connection.execute(update(LEASES).where(*lease).values(holder=FREE))
        self._engine.dispose()

    def _take_over(self, study: str) -> Holder | None:
        lease = LEASES.c.study == study
        holder = json.dumps(asdict(Holder.this_process()))
        with self._errors(f"did not accept a driver of study {study!r}", study), self._engine.begin() as connection:
            # A write comes first: reading first, two drivers of a sqlite file would each hold up the other's write.
            known = connection.execute(update(LEASES).where(lease).values(epoch=LEASES.c.epoch + 1)).rowcount
            if known:
                epoch, before = connection.execute(select(LEASES.c.epoch, LEASES.c.holder).where(lease)).one()
                connection.execute(update(LEASES).where(lease).values(holder=holder))
            else:  # 0.1.0 knew no leases
                epoch, before = 1, FREE
                connection.execute(insert(LEASES), {"study": study, "epoch": epoch, "holder": holder})
        self._epochs[study] = epoch
        return _driver(before)

    def _store(self, study: str, events: Sequence[Event], epoch: int, *, again: bool) -> None:
        """Store all of the events, or none of them."""
        rows = [row_of(event) for event in events]
        with self._errors(f"did not accept an event of study {study!r}", study), self._engine.begin() as connection:
            if isinstance(events[0], Opened):
                holder = json.dumps(asdict(Holder.this_process()))
                connection.execute(insert(LEASES), {"study": study, "epoch": epoch, "holder": holder})
            else:
                self._hold(connection, study, epoch)
            known = _stored_already(connection, study, rows) if again else 0
            for kind, payload in rows[known:]:
                connection.execute(insert(EVENTS), {"study": study, "kind": kind, "payload": payload})

    def _hold(self, connection: Connection, study: str, epoch: int) -> None:
        """Keep other drivers from taking the study over until the transaction ends.

        Raises:
            TakenOverError: if one has done so before.
        """
        lease = LEASES.c.study == study
        # A write that changes nothing: both databases let nobody else change the row until the end.
        held = update(LEASES).where(lease, LEASES.c.epoch == epoch).values(epoch=epoch)
        if connection.execute(held).rowcount == 1:
            return
        who = _driver(connection.scalar(select(LEASES.c.holder).where(lease)) or FREE) or "another driver"
        raise TakenOverError(
            f"The study {study!r} is driven by {who} now, so that this driver stops. What it had stored until then is "
            f"kept and is not done again."
        )

    @contextmanager
    def _reading(self, study: str = "NAME") -> Iterator[Connection]:
        with self._errors("did not return its events", study), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _errors(self, failed: str, study: str = "NAME") -> Iterator[None]:
        """Turn a failure of the database into an error that says how to go on."""
        try:
            yield
            self._is_away = False
        except IntegrityError:
            raise
        except StorageError:
            self._is_away = True
            raise
        except SQLAlchemyError as error:
            self._is_away = True
            raise StorageError(
                f"The storage {self._place} {failed}: {cause_of(error)}. All earlier ones are kept; fix it and "
                f"continue with --resume {shlex.quote(study)}."
            ) from error

    def _prepare(self) -> None:
        """Create what is missing, and test a write, so that a read-only database is found before the first trial."""
        with self._engine.connect() as connection:
            for table in (EVENTS, LEASES, LOOKS):
                connection.execute(CreateTable(table, if_not_exists=True))
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


def _driver(holder: str) -> Holder | None:
    value = json.loads(holder)
    return None if value is None else Holder(**value)


def row_of(event: Event) -> tuple[str, str]:
    """Kind and JSON of an event, as they are stored."""
    return type(event).__name__, json.dumps(stamped(encode(event)))


def event_of(kind: str, payload: str) -> Event:
    """The event that `row_of` of this version made.

    Raises:
        ValueError: if it is none; likewise KeyError and TypeError.
    """
    event: Event = decode(KINDS[kind], json.loads(payload))
    return event


def _stored_already(connection: Connection, study: str, rows: Sequence[tuple[str, str]]) -> int:
    """The number of rows, from the first on, with which the study ends."""
    last = select(EVENTS.c.kind, EVENTS.c.payload).where(EVENTS.c.study == study).order_by(EVENTS.c.id.desc())
    tail = [(kind, payload) for kind, payload in connection.execute(last.limit(len(rows)))][::-1]
    return next(count for count in range(len(tail), -1, -1) if tail[len(tail) - count :] == list(rows[:count]))


def _engine(url: URL, options: Mapping[str, Any]) -> Engine:
    engine = create_engine(url, **options)
    if url.get_backend_name() == "sqlite":
        if url.database and not url.database.startswith("file:"):  # which is a URI of sqlite's own and not a path
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _use_wal)
    return engine


def _use_wal(connection: Any, _record: object) -> None:
    """Turn on the write-ahead log, so that readers (a report, a dashboard) and the search do not block each other."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # what was appended survives a power cut, not only a kill
