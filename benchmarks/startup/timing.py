"""The times of one real search, read from its journal, its MLflow store and its verdict."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Event, Observed, Requested

NAME = "it"
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Times:
    """Times of a search, in seconds from its command.

    Attributes:
        first_step_s: its first training step, of whichever trial.
        last_outcome_s: its last outcome.
        exit_s: the end of its process.
        training_share: of the worker-seconds until the verdict, in training and evaluation.
        between_s: median seconds from the request of a trial to its outcome that the trial itself did not take.
        verdict: as in verdict.json.
    """

    first_step_s: float
    last_outcome_s: float
    exit_s: float
    training_share: float
    between_s: float
    verdict: str | None

    @property
    def end_s(self) -> float:
        """From the last outcome to the end of the process."""
        return self.exit_s - self.last_outcome_s


def searched(folder: Path, options: list[str]) -> Times:
    """A whole search with its results in this folder."""
    began = time.time()
    process = _search(folder, options)
    if process.wait() != 0:
        raise RuntimeError(f"The search failed: see {folder}.")
    return _times(folder, began, time.time())


def first_step_s(folder: Path, options: list[str]) -> float:
    """Seconds from the command of a search to its first training step; it is interrupted after its first trial."""
    began = time.time()
    process = _search(folder, options)
    while process.poll() is None and not _has_outcome(folder):
        time.sleep(LOOK_EVERY_S)
    process.send_signal(signal.SIGINT)
    process.wait()
    return _first_step(folder) - began


def _search(folder: Path, options: list[str]) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    with (folder / "console.log").open("wb") as log:
        command = [sys.executable, "-m", "superconv_tune.search", "--name", NAME, "--output", str(folder), *options]
        return subprocess.Popen(command, stdout=log, stderr=log)


def _has_outcome(folder: Path) -> bool:
    return (folder / "studies.db").exists() and any(isinstance(event, Observed) for event in _events(folder))


def _events(folder: Path) -> list[Event]:
    with Journal(f"sqlite:///{folder / 'studies.db'}") as journal:
        return journal.events(NAME) if journal.exists(NAME) else []


def _first_step(folder: Path) -> float:
    """Unix time of the first training step, as MLflow has it."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        ((first_ms,),) = store.execute("SELECT MIN(timestamp) FROM metrics WHERE key LIKE '%/loss' AND step = 0")
    return float(first_ms) / 1000.0


def _times(folder: Path, began: float, ended: float) -> Times:
    events = _events(folder)
    verdict = json.loads((folder / NAME / "verdict.json").read_text(encoding="utf-8"))
    asked: dict[str, float] = {}
    between = []
    for event in events:
        match event:
            case Observed(at=at, outcome=outcome):
                between.append(at - asked[outcome.trial_id] - outcome.wall_s)
            case Requested(at=at, request=request):
                asked[request.trial_id] = at
    last = max(event.at for event in events if isinstance(event, Observed))
    between.sort()
    return Times(
        first_step_s=_first_step(folder) - began,
        last_outcome_s=last - began,
        exit_s=ended - began,
        training_share=verdict["budget"]["training_share"],
        between_s=between[len(between) // 2],
        verdict=verdict["verdict"],
    )
