"""The ledger of looks: how often the verdicts of any study were read off one test part.

Every look at the same test items is another chance to take luck for skill, whichever study it belongs to. The ledger is
a table beside the journal's, in the same database, so that all searches of one database share it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from superconv_tune.core.errors import StorageError
from superconv_tune.journal.schema import cause_of

LOOKS = Table(
    "superconv_tune_looks",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("test_part", String(64), nullable=False),
    Column("study", String(255), nullable=False),
    Column("recipe", Integer, nullable=False),
    Column("models", Integer, nullable=False),
    Column("fresh_because", Text),  # of a row that is no look: those before it do not count
    UniqueConstraint("test_part", "study", "recipe", "models"),
    sqlite_autoincrement=True,
)
LOCK = zlib.crc32(b"superconv_tune_looks")  # any number that no other program is likely to use


class Ledger:
    """The looks at one test part.

    Args:
        engine: the database of the journal.
        place: its address, for messages.
        test_part: digest of the test part.
    """

    def __init__(self, engine: Engine, place: str, test_part: str) -> None:
        self._engine = engine
        self._place = place
        self._test_part = test_part

    def count(self, study: str, recipe: int, models: int) -> tuple[int, tuple[str, ...]]:
        """Count a look, unless it was counted already.

        Args:
            study: name of the study that looks.
            recipe: number of its recipe.
            models: number of fresh trainings of it that have ended.

        Returns:
            The number of looks so far, this one included, and the names of the other studies among them.

        Raises:
            StorageError: if the database does not accept it.
        """
        with self._written() as connection:
            is_this = (LOOKS.c.study == study) & (LOOKS.c.recipe == recipe) & (LOOKS.c.models == models)
            own = connection.scalar(select(LOOKS.c.id).where(self._is_here, is_this))
            if own is None:
                own = self._add(connection, study, recipe, models)
            studies = self._looks(connection, own)
        return len(studies), _named(each for each in studies if each != study)

    def others(self, study: str) -> tuple[str, ...]:
        """Names of the other studies that have looked at the test part so far.

        Raises:
            StorageError: if the database does not answer.
        """
        with self._written() as connection:
            last = connection.scalar(select(func.max(LOOKS.c.id))) or 0
            return _named(each for each in self._looks(connection, last) if each != study)

    def begin_anew(self, study: str, reason: str) -> None:
        """Let the looks before now count no more, for a reason that is kept.

        Raises:
            StorageError: if the database does not accept it.
        """
        with self._written() as connection:
            self._add(connection, study, 0, 0, reason)

    def _add(self, connection: Connection, study: str, recipe: int, models: int, reason: str | None = None) -> int:
        row = {"test_part": self._test_part, "study": study, "recipe": recipe, "models": models}
        added = connection.execute(insert(LOOKS).values(**row, fresh_because=reason).returning(LOOKS.c.id))
        return int(added.scalar_one())

    def _looks(self, connection: Connection, until: int) -> list[str]:
        """The study of every look up to a row, from the last beginning before it."""
        rows = select(LOOKS.c.study, LOOKS.c.fresh_because).where(self._is_here, LOOKS.c.id <= until)
        found: list[str] = []
        for study, reason in connection.execute(rows.order_by(LOOKS.c.id)):
            found = [*found, study] if reason is None else []
        return found

    @property
    def _is_here(self) -> ColumnElement[bool]:
        return LOOKS.c.test_part == self._test_part

    @contextmanager
    def _written(self) -> Iterator[Connection]:
        """A transaction that no other one of the ledger runs beside."""
        try:
            with self._engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                else:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        except SQLAlchemyError as error:
            raise StorageError(f"The ledger of looks in {self._place} cannot be kept: {cause_of(error)}.") from error


def _named(studies: Iterable[str]) -> tuple[str, ...]:
    """Every name once, in order."""
    return tuple(dict.fromkeys(studies))
