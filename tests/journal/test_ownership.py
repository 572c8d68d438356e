"""One driver owns a study: whoever opened it, or took it over last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.servers.postgresql import Server
from superconv_tune.core.errors import TakenOverError, UserError
from superconv_tune.journal.holder import Holder
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.unstored import FILE, bring_in, keep
from superconv_tune.record.events import Closed, Event, Resized
from superconv_tune.study.places import places
from tests.journal.test_journal import OPENED, kill_after, writer

LATE: list[Event] = [Resized(2.0, 1), Resized(3.0, 2), Closed(4.0, "deadline")]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs/studies.db"
    server: Server = request.getfixturevalue("postgresql")
    return places(tmp_path, "mine", server.database(), None).storage.reveal()


@pytest.fixture
def first(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        opened.append("mine", OPENED)
        yield opened


def test_the_older_driver_can_store_nothing_once_a_newer_one_has_taken_over(first: Journal, url: str) -> None:
    first.append("mine", LATE[0])
    with Journal(url) as second:
        assert second.take_over("mine") == Holder.this_process()
        assert not first.owns("mine")
        assert second.owns("mine")
        for again in (False, True):
            with pytest.raises(TakenOverError, match=f"driven by process {os.getpid()} on .* now"):
                first.append("mine", LATE[1], again=again)
        second.append("mine", LATE[2])
        assert second.events("mine") == [OPENED, LATE[0], LATE[2]]
        first.take_over("mine")
        with pytest.raises(TakenOverError):
            second.append("mine", LATE[1])
        first.append("mine", LATE[1])
    assert first.events("mine") == [OPENED, LATE[0], LATE[2], LATE[1]]


def test_who_never_took_a_study_over_stores_nothing_in_it(first: Journal, url: str) -> None:
    with Journal(url) as reader:
        assert not reader.owns("mine")
        with pytest.raises(TakenOverError):
            reader.append("mine", LATE[0])
        with pytest.raises(UserError, match="'mine' exists"):
            reader.append("mine", OPENED)
        with pytest.raises(TakenOverError):  # nor does a refused opening give it away
            reader.append("mine", LATE[0])
    first.append("mine", LATE[0])


def test_a_study_of_an_earlier_version_has_no_driver_and_gets_one(first: Journal, url: str) -> None:
    from sqlalchemy import delete  # noqa: PLC0415

    from superconv_tune.journal.journal import LEASES  # noqa: PLC0415

    with first._engine.begin() as connection:
        connection.execute(delete(LEASES))
    with Journal(url) as second:
        assert second.take_over("mine") is None
        second.append("mine", LATE[0])
    assert first.events("mine") == [OPENED, LATE[0]]


def test_a_writer_that_is_overtaken_in_full_flight_stops_at_a_whole_event(url: str) -> None:
    flying = writer(url, "mine")
    assert flying.stdout is not None
    for _ in range(20):
        flying.stdout.readline()
    with Journal(url) as second:
        before = second.take_over("mine")
        assert before is not None
        stored = second.events("mine")
        assert before.pid == flying.pid
        assert flying.wait(30) == 1
        assert second.events("mine") == stored
        told = 20 + flying.stdout.read().count("\n")
        flying.stdout.close()
        assert len(stored) - 1 == told
        assert before.is_gone


def test_a_driver_that_has_ended_gives_the_study_back(url: str) -> None:
    with Journal(url) as first:
        first.append("mine", OPENED)
        assert first.is_driven("mine")
    with Journal(url) as second:
        assert not second.is_driven("mine")
        assert second.take_over("mine") is None  # there is nobody to wait for
        second.append("mine", LATE[0])
        with Journal(url) as third:
            third.take_over("mine")
            second.close()  # has nothing to give back any more
            assert third.is_driven("mine")


def test_of_two_that_take_over_at_once_one_ends_up_with_it(url: str) -> None:
    with Journal(url) as opened:
        opened.append("mine", OPENED)
    code = (
        "import sys\nfrom superconv_tune.journal.journal import Journal\n"
        "with Journal(sys.argv[1]) as journal:\n"
        "    for _ in range(20):\n        journal.take_over('mine')\n"
    )
    racers = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(2)]
    assert [racer.wait(120) for racer in racers] == [0, 0]
    with Journal(url) as journal:
        journal.take_over("mine")
        assert journal.epoch("mine") == 42


def test_a_process_is_seen_to_be_gone_only_when_it_is() -> None:
    assert not Holder.this_process().is_gone
    assert Holder.this_process().is_this_process
    ended = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    fields = Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()
    holder = replace(Holder.this_process(), pid=ended.pid, began=fields[19])
    assert not holder.is_gone
    assert replace(holder, began="1").is_gone  # the number was given to another process
    assert not replace(holder, host="elsewhere").is_gone
    assert not replace(holder, host="elsewhere").is_visible
    ended.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert holder.is_gone  # nobody has asked for its exit code yet
    ended.wait()
    assert holder.is_gone


def test_what_could_not_be_stored_is_brought_in_once(first: Journal, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    with Journal(url) as reader:
        assert bring_in(reader, "mine", folder) == 0
        first.append("mine", LATE[0])  # arrived although its driver could not know
        for _ in range(2):  # a reader may be killed before it has removed the file
            keep(folder, LATE, first.epoch("mine"))
            assert bring_in(reader, "mine", folder) == len(LATE)
            assert not (folder / FILE).exists()
            assert reader.events("mine") == [OPENED, *LATE]


def test_what_could_not_be_stored_is_dropped_if_another_driver_went_on(
    first: Journal, url: str, tmp_path: Path
) -> None:
    keep(tmp_path, LATE, first.epoch("mine"))
    with Journal(url) as second:
        second.take_over("mine")
        bring_in(second, "mine", tmp_path)
        assert second.events("mine") == [OPENED]
    assert not (tmp_path / FILE).exists()


def test_a_journal_without_the_study_leaves_what_could_not_be_stored(first: Journal, url: str, tmp_path: Path) -> None:
    """As with a forgotten --storage."""
    keep(tmp_path, LATE, first.epoch("mine"))
    with Journal(f"sqlite:///{tmp_path}/wrong.db") as wrong:
        assert bring_in(wrong, "mine", tmp_path) == 0
    with Journal(url) as right:
        assert bring_in(right, "mine", tmp_path) == len(LATE)
        assert right.events("mine") == [OPENED, *LATE]


def test_a_damaged_file_is_named_and_kept(first: Journal, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("1\n[", encoding="utf-8")
    with pytest.raises(UserError, match=f"{FILE} holds events .* cannot be read"):
        bring_in(first, "mine", tmp_path)
    assert (tmp_path / FILE).exists()


def test_a_killed_writer_is_gone_at_once(url: str) -> None:
    killed = writer(url, "mine")
    kill_after(killed, appended=3)
    with Journal(url) as second:
        assert not second.is_driven("mine")
        before = second.take_over("mine")
        assert before is not None
        assert before.is_gone
        assert second.is_driven("mine")
        assert second.is_driven("unknown")
