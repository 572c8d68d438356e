"""A real search as a process tree of its own: starts it, kills parts of it, waits for it, and reads its results."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.servers.nodes import ROOT, SETTINGS, command_line, descendants
from superconv_tune.core.processes import began, status
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Closed, Event, Observed, Requested
from superconv_tune.record.trial import LOST
from superconv_tune.study.places import Places, places

NAME = "it"
CONSOLE = "console.log"
ACTORS = ("ray::TrialActor", "ray::ResourceTrainable")  # as a worker process of Ray Tune calls itself
PATIENCE_S = 1200.0
STRIKES = 5  # attempts, because the worker that is killed may have been between two trials
END_S = 1900.0  # after its start, by which a search of the spec below has ended, whatever happened to it
BEGINS_S = 0.7  # from the request for a trial to its first step
REFUSED = 2  # exit code of a command that began nothing
OUTLIVE_S = 10.0  # by which a process of Ray may outlive its driver

SPEC = """
name: faults
data: digits
model: {name: mlp, width: 0.25}
target: 0.80
budget: 1800s
trials: 8
baselines: none
split: {validation: 0.2, test: 0.4}
space:
  cycle_epochs: {low: 100, high: 400, log: true}
  batch_size: [32, 64]
"""

# It is never decided, and goes on until its deadline.
TIGHT = """
name: faults
data: digits
model: {name: mlp, width: 0.25}
target: 0.9999
budget: 120s
baselines: none
split: {validation: 0.2, test: 0.4}
space:
  cycle_epochs: {low: 10, high: 100, log: true}
  batch_size: [32, 64]
"""


@dataclass
class Search:
    """The search called `NAME` in a folder.

    Attributes:
        folder: working directory; the spec is written into it.
        options: of every command.
        environment: what its commands find in theirs, beyond this one's.
        storage: database URL of the journal; None for the file in the folder.
        tracking_uri: of MLflow; None for the file in the folder.
        spec: the question, as YAML.
        ended_at: Unix time at which its last driver ended.
        outlived: processes that were still there `OUTLIVE_S` after a driver that was killed.
    """

    folder: Path
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    storage: str | None = None
    tracking_uri: str | None = None
    spec: str = SPEC
    ended_at: float = math.inf
    outlived: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Start it."""
        (self.folder / "spec.yaml").write_text(self.spec, encoding="utf-8")
        self._start("superconv_tune.search", "spec.yaml", "--name", NAME, *self.options)

    def until_underway(self, count: int) -> list[Event]:
        """Start it, and wait until this many trials have come back and one more runs; the journal up to then."""
        self.begin()
        self.until_trained(count)
        self._until(lambda: asked(self.events()) > returned(self.events()), "another trial")
        time.sleep(BEGINS_S)
        return self.events()

    def resume(self) -> None:
        """Resume it."""
        self._start("superconv_tune.search", "--resume", NAME, *self.options)

    def report(self) -> None:
        """Render its report again, which also sends to MLflow what it has missed."""
        self._start("superconv_tune.report", NAME)

    def end(self, within_s: float = END_S) -> int:
        """Wait for its end; returns the exit code.

        Raises:
            TimeoutExpired: if it has not ended within so many seconds; it goes on.
        """
        code = self._process.wait(within_s)
        if self._is_driver and code != REFUSED:
            self.ended_at = time.time()
        return code

    def go_on(self) -> int:
        """Resume it, or render its report if its deadline passes before it is ready; returns the exit code."""
        self.resume()
        code = self.end()
        if code == REFUSED and "the deadline of" in self.said():
            self.report()
            code = self.end()
        return code

    def kill(self) -> None:
        """SIGKILL to the driver, as when memory runs out; the processes of Ray have to notice it themselves."""
        self._struck(lambda: self.signal(signal.SIGKILL))

    def kill_part(self, name: str) -> int:
        """SIGKILL to a part of the Ray that the driver has started, such as ``gcs_server``; its exit code."""
        programs = {pid: command_line(pid).partition(" ")[0] for pid in descendants(self._process.pid)}
        (part,) = [pid for pid, program in programs.items() if program.endswith(f"/{name}")]
        return self._struck(lambda: os.kill(part, signal.SIGKILL))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the driver alone."""
        self._process.send_signal(number)

    def _struck(self, strike: Callable[[], None]) -> int:
        """Strike, wait for the end of the driver, and note what outlives it; returns its exit code."""
        family = {pid: began(pid) for pid in descendants(self._process.pid)}
        strike()
        code = self._process.wait(PATIENCE_S)
        self.ended_at = time.time()
        end = time.monotonic() + OUTLIVE_S
        while (left := [pid for pid, at in family.items() if began(pid) == at]) and time.monotonic() < end:
            time.sleep(0.2)
        self.outlived += [command_line(pid) for pid in left]
        return code

    def kill_worker(self) -> None:
        """SIGKILL to one worker process that trains now."""
        self._until(lambda: bool(self._actors()), "a worker")  # a loaded machine may take a while to name its processes
        os.kill(max(self._actors(), key=processor_time), signal.SIGKILL)

    def kill_a_trial(self) -> list[Event]:
        """SIGKILL to a worker in the middle of a trial; returns the journal as it was just before."""
        for _ in range(STRIKES):
            self.until_asked()
            before = self.events()
            self.kill_worker()
            self.until_asked()
            if lost(self.events()) > lost(before):
                return before
        raise AssertionError(f"no trial was hit in {STRIKES} strikes")

    def said(self) -> str:
        """The output of its commands."""
        return (self.folder / CONSOLE).read_text(encoding="utf-8")

    @property
    def output(self) -> Path:
        """The folder with its verdict, its report and its recipe."""
        return self._where().folder

    def verdict(self) -> dict[str, Any]:
        """The content of its ``verdict.json``; empty if there is none."""
        file = self.output / "verdict.json"
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}

    def events(self) -> list[Event]:
        """The journal, up to now."""
        if not self._where().has_journal:
            return []
        with Journal(self._where().storage) as journal:
            return journal.events(NAME)

    def until_trained(self, count: int) -> None:
        """Wait until this many trials have come back that need not run again."""
        self._until(lambda: len(completed(self.events())) >= count, f"{count} trials")

    def until_asked(self) -> None:
        """Wait until one more trial has been requested, and give it time to begin."""
        before = asked(self.events())
        self._until(lambda: asked(self.events()) > before, "another trial")
        time.sleep(BEGINS_S)

    def until_closed(self) -> None:
        """Wait until no more trials are asked for, and the report begins."""
        self._until(lambda: any(isinstance(e, Closed) for e in self.events()), "the report", look_s=0.02)

    def _until(self, is_so: Callable[[], bool], what: str, look_s: float = 0.2) -> None:
        end = time.monotonic() + PATIENCE_S
        while not is_so():
            assert self._process.poll() is None, f"the search ended before {what} came: {self.said()}"
            assert time.monotonic() < end, f"{what} did not come within {PATIENCE_S:g} s"
            time.sleep(look_s)

    def _actors(self) -> list[int]:
        return [pid for pid in descendants(self._process.pid) if command_line(pid).startswith(ACTORS)]

    def _where(self) -> Places:
        return places(self.folder / "runs", NAME, self.storage, self.tracking_uri)

    def _start(self, *arguments: str) -> None:
        scrubbed = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
        ours = {"PYTHONPATH": str(ROOT), "SUPERCONV_TUNE_CACHE": str(self.folder / "cache"), "OMP_NUM_THREADS": "1"}
        if self.storage:
            ours["SUPERCONV_TUNE_STORAGE"] = self.storage
        if self.tracking_uri:
            ours["MLFLOW_TRACKING_URI"] = self.tracking_uri
        self._is_driver = arguments[0] == "superconv_tune.search"
        with (self.folder / CONSOLE).open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=self.folder,
                env={**scrubbed, **ours, **self.environment},
                stdout=log,
                stderr=log,
            )


def completed(events: list[Event]) -> set[str]:
    """Trials that came back and were not lost."""
    return {e.outcome.trial_id for e in events if isinstance(e, Observed) and e.outcome.status not in LOST}


def lost(events: list[Event]) -> int:
    """Attempts that will not come back."""
    return sum(isinstance(e, Observed) and e.outcome.status in LOST for e in events)


def returned(events: list[Event]) -> int:
    """Attempts that have ended."""
    return sum(isinstance(e, Observed) for e in events)


def asked(events: list[Event]) -> int:
    """Attempts that were given to workers."""
    return sum(isinstance(e, Requested) for e in events)


def processor_time(pid: int) -> int:
    """What a process has computed so far, in ticks; 0 if it has ended."""
    fields = status(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0
