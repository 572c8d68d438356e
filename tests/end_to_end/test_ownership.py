"""Two drivers of one study, and signals, as a user meets them; in one process each, so that it takes seconds."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from superconv_tune.journal.journal import Journal
from superconv_tune.journal.unstored import FILE
from superconv_tune.record.events import Closed, Event, Observed, Requested, Resumed
from tests.end_to_end.conftest import Start

pytestmark = pytest.mark.timeout(300)

LONG = """
name: long
data: digits
model: {name: mlp, width: 0.25}
target: 0.9999
budget: BUDGET
baselines: none
split: {validation: 0.2, test: 0.4}
space:
  cycle_epochs: {low: 3, high: 30, log: true}
  batch_size: [32, 64]
"""
WAIT_S = 120.0


class Searches:
    """The study ``it`` in an empty folder, without Ray and MLflow."""

    def __init__(self, start: Start, folder: Path) -> None:
        self._start = start
        self.folder = folder
        self.file = folder / "runs" / "studies.db"

    def begin(self, budget: str) -> subprocess.Popen[str]:
        (self.folder / "long.yaml").write_text(LONG.replace("BUDGET", budget), encoding="utf-8")
        return self._start("search", "long.yaml", "--name", "it", "--debug", "--tracking-uri", "none")

    def resume(self, *options: str) -> subprocess.Popen[str]:
        return self._start("search", "--resume", "it", "--debug", *options)

    def events(self) -> list[Event]:
        with Journal(f"sqlite:///{self.file}") as journal:
            return journal.events("it")

    def until_trained(self, count: int) -> None:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if self.file.exists() and sum(isinstance(event, Observed) for event in self.events()) >= count:
                return
            time.sleep(0.3)
        raise AssertionError(f"{count} trials did not come back within {WAIT_S:g} s")


@pytest.fixture
def searches(start: Start, tmp_path: Path) -> Searches:
    return Searches(start, tmp_path)


def test_a_newer_driver_goes_on_alone_and_the_older_one_stops_politely(searches: Searches) -> None:
    first = searches.begin("70s")
    searches.until_trained(3)
    second = searches.resume()
    out, err = first.communicate(timeout=100)
    assert first.returncode == 130, err
    assert f"is driven by process {second.pid} on" in out
    assert "Traceback" not in err
    out, err = second.communicate(timeout=150)
    assert second.returncode == 0, err
    assert f"was driven by process {first.pid} on" in out
    events = searches.events()
    asked = [(e.request.trial_id, e.request.attempt) for e in events if isinstance(e, Requested)]
    assert len(set(asked)) == len(asked)
    assert [type(event) for event in events].count(Resumed) == 1
    assert isinstance(events[-1], Closed)
    verdict = json.loads((searches.folder / "runs" / "it" / "verdict.json").read_text(encoding="utf-8"))
    finished = [e for e in events if isinstance(e, Observed) and e.outcome.status == "finished"]
    assert verdict["trials"]["finished"] == len(finished)


def test_a_locked_journal_delays_no_report_and_report_brings_in_the_rest(searches: Searches, start: Start) -> None:
    search = searches.begin("45s")
    searches.until_trained(3)
    before = searches.events()
    with closing(sqlite3.connect(searches.file, timeout=30.0)) as other:
        other.execute("BEGIN IMMEDIATE")
        out, err = search.communicate(timeout=150)
        late_s = time.time() - before[0].at - 45.0
        other.rollback()
    assert search.returncode == 0, err
    assert late_s <= 5.0
    assert "did not accept the last" in out
    assert "`python -m superconv_tune.report it` brings them in" in out
    folder = searches.folder / "runs" / "it"
    assert {"report.html", "verdict.json", FILE} <= {file.name for file in folder.iterdir()}
    told = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert any("did not accept" in warning for warning in told["warnings"])

    out, err = (report := start("report", "it")).communicate(timeout=100)
    assert report.returncode == 0, err
    assert not (folder / FILE).exists()
    events = searches.events()
    assert events[: len(before)] == before
    assert isinstance(events[-1], Closed)
    again = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert again["trials"] == told["trials"]


def until_caught(pid: int, number: int) -> None:
    """Until the process has a handler for this signal."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        if int(status["SigCgt"], 16) >> (number - 1) & 1:
            return
        time.sleep(0.01)
    raise AssertionError(f"signal {number} was not caught within {WAIT_S:g} s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_preflight_ends_it_with_one_line(searches: Searches, number: signal.Signals) -> None:
    search = searches.begin("60s")
    until_caught(search.pid, signal.SIGHUP)
    time.sleep(0.5)
    search.send_signal(number)
    out, err = search.communicate(timeout=60)
    assert search.returncode == 130, (out, err)
    assert err == "interrupted; the same command begins again.\n"
    assert not searches.file.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_search_ends_it_with_a_report(searches: Searches, number: signal.Signals) -> None:
    search = searches.begin("200s")
    searches.until_trained(2)
    search.send_signal(number)
    out, err = search.communicate(timeout=60)
    assert search.returncode == 130, err
    assert (searches.folder / "runs" / "it" / "report.html").exists()
    assert "estimate" in out
    last = searches.events()[-1]
    assert isinstance(last, Closed)
    assert last.reason == "interrupted"


def test_a_search_that_is_killed_leaves_a_word_on_how_to_go_on(searches: Searches) -> None:
    search = searches.begin("200s")
    searches.until_trained(1)
    search.kill()
    _, err = search.communicate(timeout=60)
    assert "`python -m superconv_tune.search --resume it` goes on" in err
