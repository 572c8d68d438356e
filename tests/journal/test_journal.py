"""The journal: every event back as it went in, from any number of writers, through any crash."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from superconv_tune.core.curve import Curve
from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.journal.journal import KINDS, Journal
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.events import (
    Closed,
    Dropped,
    Event,
    Frozen,
    Looked,
    Measured,
    Observed,
    Opened,
    Planned,
    Requested,
    Resized,
    Resumed,
    Surveyed,
)
from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.record.purpose import Proposal, Sampled
from superconv_tune.record.recipe import Recipe
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest

LOSS = np.array([2.3, 1.0, math.nan, math.inf])
CURVE = Curve(np.arange(4.0), np.full(4, 0.1), np.full(4, 0.9), LOSS, np.linspace(0.0, 1.0, 4))
REQUEST = TrialRequest(
    "0001-search", 1, Sampled(Proposal("rung0", 3), 0.1), Cycle(0.15),
    params=Hyperparameters(batch_size=64, lr_multiplier=1.5), schedule=Schedule(), seed=7, deadline=1e9, rung=0,
)  # fmt: skip
OUTCOME = TrialOutcome(
    "0001-search", 1, "diverged", 0.1, reason="loss became infinite", max_lr=0.1 + 0.2, steps=4,
    range_test=RangeTestResult(0.2, 0.8, 0.1, 0.02, "good", 0.0, 285), range_curve=CURVE, cycle_curve=CURVE,
)  # fmt: skip
OPENED = Opened(
    "mine", 1.0, 3601.0, 2, {"space": {"lr_multiplier": [0.35, 2.0]}, "target": None}, {"torch": "2.13"},
    Measured(100, 20, 20, {"64": 0.01}, 0.5, 0.3, 0.1, "bf16"), {"run_id": "r"},
)  # fmt: skip
EVENTS: list[Event] = [
    OPENED,
    Planned(2.0, Plan((RungPlan(1.0, 9), RungPlan(3.0, 3, free=True)), 3, (1.5, 4.5), is_too_small=True)),
    Requested(3.0, REQUEST),
    Observed(4.0, OUTCOME),
    Frozen(4.5, Recipe(1, "0001-search", Hyperparameters(batch_size=64), 0.1 + 0.2, Schedule())),
    Looked(4.7, 1, 4, 7, ("other", "another")),
    Resumed(5.0, 3601.0, 4),
    Resized(5.5, 3),
    Dropped(5.6, "mlp"),
    Surveyed(5.7, (Landmark("a linear model", "floor", 0.8, "a linear model reaches 0.8."),)),
    Closed(6.0, "decided"),
]

# Opens a study and appends to it until it is killed; prints each number once the journal has it.
WRITER = """
import itertools, sys
from superconv_tune.record.events import Closed, Opened
from superconv_tune.journal.journal import Journal
with Journal(sys.argv[1]) as journal:
    journal.append(sys.argv[2], Opened(sys.argv[2], 1.0, 2.0, 1, {}))
    for number in itertools.count():
        journal.append(sys.argv[2], Closed(float(number), "x" * 5_000))
        print(number, flush=True)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs/studies.db"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        yield opened


def writer(url: str, study: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, url, study], stdout=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], appended: int) -> int:
    """Kill the writer once it has appended so many; the number of events it was told are stored."""
    assert process.stdout is not None
    for _ in range(appended):
        assert process.stdout.readline()
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    rest = process.stdout.read()
    process.stdout.close()
    return appended + rest.count("\n")


def test_every_kind_of_event_comes_back_as_it_was(journal: Journal) -> None:
    assert {type(event).__name__ for event in EVENTS} == KINDS.keys()
    for event in EVENTS:
        journal.append("mine", event)
    assert journal.events("mine") == EVENTS
    Study.replay(journal.events("mine"))


def test_another_driver_reads_what_the_first_one_wrote(journal: Journal, url: str) -> None:
    journal.append("mine", OPENED)
    with Journal(url) as other:
        assert other.events("mine") == [OPENED]
        other.take_over("mine")
        other.append("mine", EVENTS[-1])
    assert journal.events("mine") == [OPENED, EVENTS[-1]]


def test_studies_are_apart_and_the_newest_is_named_first(journal: Journal) -> None:
    assert journal.names() == []
    for name in ("a", "b", "c"):
        journal.append(name, OPENED)
    journal.append("a", EVENTS[-1])
    assert journal.names() == ["c", "b", "a"]
    assert journal.events("b") == [OPENED]
    assert journal.events("unknown") == []
    assert journal.exists("a")
    assert not journal.exists("unknown")


def test_a_name_is_opened_once(journal: Journal) -> None:
    journal.append("mine", OPENED)
    with pytest.raises(UserError, match="'mine' exists"):
        journal.append("mine", OPENED)
    assert journal.events("mine") == [OPENED]


def test_writers_at_once_and_a_kill_leave_whole_prefixes(url: str) -> None:
    # Neither file nor table exists: they also race for making them.
    processes = [writer(url, study) for study in "abc"]
    stored = [kill_after(process, appended=20) for process in processes]
    with Journal(url) as journal:
        for study, count in zip("abc", stored, strict=True):
            written = [event.at for event in journal.events(study) if isinstance(event, Closed)]
            assert written == list(map(float, range(len(written))))
            assert count <= len(written) <= count + 1  # at most the one append that was killed on its way back


def test_a_reader_does_not_wait_for_a_writer(journal: Journal, tmp_path: Path) -> None:
    journal.append("mine", OPENED)
    with sqlite3.connect(tmp_path / "runs" / "studies.db") as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert journal.events("mine") == [OPENED]
        assert time.monotonic() - began < 5.0
        other.rollback()
    other.close()


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        ("Teleported", "{}", "unknown kind 'Teleported'"),
        ("Closed", '{"at": 1.0', "not a valid Closed"),
        ("Closed", '{"at": 1.0}', "not a valid Closed.*reason"),
        ("Closed", "[1]", "not a valid Closed"),
        ("Observed", '{"at": 1.0, "outcome": {"trial_id": "t", "attempt": 1, "status": "sleepy"}}', "sleepy"),
    ],
)
def test_an_event_that_cannot_be_read_is_named(
    journal: Journal, tmp_path: Path, kind: str, payload: str, said: str
) -> None:
    journal.append("mine", OPENED)
    with sqlite3.connect(tmp_path / "runs" / "studies.db") as other:
        other.execute("INSERT INTO superconv_tune_events (study, kind, payload) VALUES ('mine', ?, ?)", (kind, payload))
    other.close()
    with pytest.raises(UserError, match=rf"Event \d+ of study 'mine'.*{said}"):
        journal.events("mine")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("runs/studies.db", "is not a database URL"),
        ("mysql://localhost/x", "mysql is not supported"),
        ("postgresql+psycopg2cffi://localhost/x", "needs the package"),
        ("sqlite:////proc/nowhere/studies.db", "cannot be opened for writing"),
    ],
)
def test_a_storage_that_cannot_be_used_is_refused_with_the_reason(wrong: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Journal(wrong)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "studies.db").write_text("these are notes, and no database at all\n" * 50)
    with pytest.raises(UserError, match="cannot be opened for writing: file is not a database"):
        Journal(f"sqlite:///{tmp_path}/studies.db")


def test_a_read_only_database_is_found_before_the_first_trial(journal: Journal, tmp_path: Path) -> None:
    journal.append("mine", OPENED)
    with pytest.raises(UserError, match="cannot be opened for writing: attempt to write a readonly database"):
        Journal(f"sqlite:///file:{tmp_path}/runs/studies.db?mode=ro&uri=true")


def test_when_the_database_takes_no_more_the_earlier_events_are_kept(journal: Journal, tmp_path: Path) -> None:
    journal.append("mine", OPENED)
    with sqlite3.connect(tmp_path / "runs" / "studies.db") as other:
        other.execute("ALTER TABLE superconv_tune_events RENAME TO gone")
        with pytest.raises(UserError, match=r"did not accept an event of study 'mine': no such table.*--resume mine"):
            journal.append("mine", EVENTS[-1])
        other.execute("ALTER TABLE gone RENAME TO superconv_tune_events")
    other.close()
    assert journal.events("mine") == [OPENED]


@pytest.mark.parametrize("password", ["secret", "se cret", "se:cret", "se@cret", "se/cret", "se?cret", "se#cret"])
def test_a_password_is_not_repeated_in_an_error(password: str) -> None:
    with pytest.raises(UserError) as raised:
        Journal(f"postgresql+psycopg2cffi://me:{password}@localhost/x")
    assert "cret" not in str(raised.value)
    assert ("%40 for @" in str(raised.value)) is any(sign in password for sign in "@/?#")
