"""No call to a database waits without end: a sqlite file that is locked, a PostgreSQL server that hangs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from benchmarks.servers.postgresql import Server
from superconv_tune.core.errors import StorageError, UserError
from superconv_tune.core.space import Choice, SearchSpace
from superconv_tune.journal import connections
from superconv_tune.journal.connections import CALL_S, LEAST_S, PAUSE_S, CallLimit
from superconv_tune.journal.journal import Journal
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.events import Event, Resized
from superconv_tune.study.places import places
from tests.fakes import FakeClock
from tests.journal.test_journal import OPENED

SPACE: SearchSpace = {"batch_size": Choice((32, 64))}
LATER: Event = Resized(2.0, 1)
SLACK_S = 4.0  # of a busy machine


class Hanging:
    """A database that can be made to hang."""

    def __init__(self, url: str, file: Path | None, server: Server | None) -> None:
        self.url = url
        self._file = file
        self._server = server

    @contextmanager
    def hangs(self) -> Iterator[None]:
        if self._server is not None:
            self._server.freeze()
            try:
                yield
            finally:
                self._server.thaw()
            return
        assert self._file is not None
        with closing(sqlite3.connect(self._file)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Hanging:
    if request.param == "sqlite":
        file = tmp_path / "studies.db"
        return Hanging(f"sqlite:///{file}", file, None)
    server: Server = request.getfixturevalue("postgresql")
    return Hanging(places(tmp_path, "mine", server.database(), None).storage.reveal(), None, server)


@pytest.fixture
def journal(database: Hanging) -> Iterator[Journal]:
    with Journal(database.url) as opened:
        opened.append("mine", OPENED)
        opened.limit.ends_at = time.time()  # every call is short from now on
        yield opened


def test_an_event_is_refused_in_time_and_stored_once_afterwards(database: Hanging, journal: Journal) -> None:
    with database.hangs():
        began = time.monotonic()
        with pytest.raises(StorageError, match="--resume"):
            journal.append("mine", LATER)
        assert time.monotonic() - began < LEAST_S + SLACK_S
        again = time.monotonic()
        with pytest.raises(StorageError, match="does not answer"):
            journal.append("mine", LATER, again=True)
        assert time.monotonic() - again < 0.5  # not tried so soon after
    time.sleep(PAUSE_S)
    journal.append("mine", LATER, again=True)
    assert journal.events("mine") == [OPENED, LATER]
    assert journal.owns("mine")


def test_optuna_too_gives_up_in_time_and_has_no_trial_too_many(database: Hanging, journal: Journal) -> None:
    proposer = Proposer(database.url, "mine", SPACE, "max", "random", 0, 10, journal.options)
    first = proposer.ask("rung0").proposal
    with database.hangs():
        began = time.monotonic()
        with pytest.raises(StorageError):
            proposer.ask("rung0")
        assert time.monotonic() - began < LEAST_S + PAUSE_S + SLACK_S  # Optuna alone would try five times
    time.sleep(PAUSE_S)
    proposer.withdraw(first)
    proposer.withdraw(first)
    assert [trial.state.name for trial in proposer._rungs["rung0"].get_trials()] == ["FAIL"]
    proposer.close()


def test_a_server_that_hangs_is_found_before_anything_begins(
    postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CALL_S", LEAST_S)
    url = places(tmp_path, "mine", postgresql.database(), None).storage
    postgresql.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(UserError, match=r"cannot be opened for writing: .*timeout expired") as refused:
            Journal(url)
        assert time.monotonic() - began < LEAST_S + SLACK_S
    finally:
        postgresql.thaw()
    assert postgresql.password not in str(refused.value)


def test_calls_are_shorter_near_the_end_and_refused_for_a_moment_after_a_failure() -> None:
    clock = FakeClock()
    limit = CallLimit("here", clock)
    assert limit.seconds == CALL_S
    limit.ends_at = clock.now + 5.0
    assert limit.seconds == 5.0
    clock.advance(60.0)
    assert limit.seconds == LEAST_S
    limit.check()
    limit.ran_out()
    with pytest.raises(StorageError, match="here does not answer"):
        limit.check()
    clock.advance(PAUSE_S)
    limit.check()
