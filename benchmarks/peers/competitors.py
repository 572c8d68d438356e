"""Competitors as whole processes, and what each delivered, when, and where its minutes went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.peers.questions import SPECS, Question
from benchmarks.peers.training import Entry, Task, accuracy, read_diaries
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Observed
from superconv_tune.record.trial import TrialOutcome

CORES = 2
GRACE_S = 60.0  # that a process gets beyond its deadline before it is killed; what it trains there does not count
LAST_LINES = 20  # of a process that failed
STUDY = "ours"


@dataclass(frozen=True)
class Delivery:
    """A model that could be handed over.

    Attributes:
        after_s: wall-clock seconds since the process was started.
        validation: its accuracy on the validation part, by which the competitor chose it.
        test: its accuracy on the test part.
    """

    after_s: float
    validation: float
    test: float


@dataclass(frozen=True)
class Account:
    """One run of one competitor.

    Attributes:
        competitor: its name.
        delivered: accuracy on the test part of what it delivers; None if nothing.
        single: test accuracy of the one model with the best validation accuracy; for ours, among the confirmed ones.
        models: how many models ``delivered`` is the mean of.
        trace: its deliveries so far, whenever a better one came.
        wall_s: from the start of the process to its end.
        start_up_s: seconds until the first training step.
        training_s: core-seconds in training steps, range tests included.
        evaluation_s: core-seconds in evaluation.
        idle_s: core-seconds inside the budget that are none of these: start-up, waiting, bookkeeping.
        note: anything else to report.
    """

    competitor: str
    delivered: float | None
    single: float | None
    models: int
    trace: tuple[Delivery, ...]
    wall_s: float
    start_up_s: float
    training_s: float
    evaluation_s: float
    idle_s: float
    note: str = ""


PEERS: Mapping[str, int] = {"ray_asha": 1, "fastai": 2, "optuna_median": 1}  # module to torch threads of a process
OURS: Mapping[str, float] = {"ours": 1.0, "ours_half": 0.5}  # name to share of the minutes
NAMES = (*OURS, *PEERS)


def compete(competitor: str, name: str, asked: Question, seconds: float, seed: int, folder: Path) -> Account:
    """Run a competitor as a process of its own, on two cores.

    Args:
        competitor: one of `NAMES`.
        name: name of the question.
        asked: the question itself, for the test accuracy afterwards.
        seconds: time budget.
        seed: seed of its random choices.
        folder: an empty folder for its files.
    """
    if competitor in OURS:
        return _run_ours(competitor, name, OURS[competitor] * seconds, seed, folder)
    started = time.time()
    task = Task(name, started, started + seconds, seed, str(folder))
    _process([sys.executable, "-m", "benchmarks.peers.process", competitor, json.dumps(asdict(task))], seconds, folder)
    wall_s = time.time() - started
    entries = [entry for entry in read_diaries(folder) if entry.at <= task.deadline]
    return _account(competitor, task, asked, entries, wall_s)


def _process(command: Sequence[str], seconds: float, folder: Path) -> None:
    """Run to the end; if it does not end, the whole group is killed, so that the next one has the cores alone.

    Raises:
        RuntimeError: if it ends by a failure; nothing is to be concluded from such a run.
    """
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    with (folder / "output.log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        os.sched_setaffinity(child.pid, cores)
        try:
            child.wait(seconds + GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode not in (0, -signal.SIGKILL):
        lines = (folder / "output.log").read_text(encoding="utf-8").strip().splitlines()[-LAST_LINES:]
        raise RuntimeError("\n".join([f"{' '.join(command)} ended with {child.returncode}:", *lines]))


def _account(competitor: str, task: Task, asked: Question, entries: Sequence[Entry], wall_s: float) -> Account:
    threads = PEERS[competitor]
    trace = _trace(task, asked, entries)
    training_s = threads * sum(entry.train_s for entry in entries)
    evaluation_s = threads * sum(entry.eval_s for entry in entries)
    budget_s = task.deadline - task.started
    first = min((entry.at - entry.train_s - entry.eval_s for entry in entries), default=task.deadline)
    last = trace[-1].test if trace else None
    epochs = sum(entry.validation is not None for entry in entries)
    return Account(
        competitor=competitor,
        delivered=last,
        single=last,
        models=min(1, len(trace)),
        trace=trace,
        wall_s=wall_s,
        start_up_s=first - task.started,
        training_s=training_s,
        evaluation_s=evaluation_s,
        idle_s=max(0.0, CORES * budget_s - training_s - evaluation_s),
        note=f"{epochs} epochs",
    )


def _trace(task: Task, asked: Question, entries: Sequence[Entry]) -> tuple[Delivery, ...]:
    """The model of the best validation accuracy so far, whenever it changed, with its test accuracy."""
    found: list[Delivery] = []
    model = asked.make_model()
    for entry in entries:
        if entry.model is None or entry.validation is None or (found and entry.validation <= found[-1].validation):
            continue
        model.load_state_dict(torch.load(Path(task.folder) / entry.model, weights_only=True))
        found.append(Delivery(entry.at - task.started, entry.validation, accuracy(model, asked.test)))
    return tuple(found)


def _run_ours(competitor: str, name: str, seconds: float, seed: int, folder: Path) -> Account:
    """Our search as its users start it; the seconds of its trials are read from its journal."""
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump(json.loads(json.dumps(SPECS[name]))), encoding="utf-8")
    started = time.time()
    command = [sys.executable, "-m", "superconv_tune.search", str(spec), "--budget", f"{seconds:g}s"]
    options = {"--target": "none", "--seed": str(seed), "--output": str(folder), "--name": STUDY, "--workers": CORES}
    command += [str(word) for option in options.items() for word in option]
    _process(command, seconds, folder)
    wall_s = time.time() - started
    with Journal(f"sqlite:///{folder / 'studies.db'}") as journal:
        observed = [event for event in journal.events(STUDY) if isinstance(event, Observed)]
    verdict = json.loads((folder / STUDY / "verdict.json").read_text(encoding="utf-8"))
    return _account_of_ours(competitor, started, wall_s, seconds, observed, verdict)


def _account_of_ours(
    competitor: str,
    started: float,
    wall_s: float,
    seconds: float,
    observed: Sequence[Observed],
    verdict: Mapping[str, Any],
) -> Account:
    confirmed = [each for each in verdict["confirmation"] if each["test"] is not None]
    outcomes = [event.outcome for event in observed]
    training_s = sum(outcome.train_s + outcome.range_test_s for outcome in outcomes)
    evaluation_s = sum(outcome.eval_s for outcome in outcomes)
    first = min((event.at - event.outcome.wall_s for event in observed), default=started + seconds)
    return Account(
        competitor=competitor,
        delivered=sum(each["test"] for each in confirmed) / len(confirmed) if confirmed else None,
        single=max(confirmed, key=lambda each: float(each["validation"]))["test"] if confirmed else None,
        models=len(confirmed),
        trace=tuple(
            Delivery(event.at - started, event.outcome.validation, event.outcome.test)
            for event in observed
            if event.outcome.validation is not None and event.outcome.test is not None
        ),
        wall_s=wall_s,
        start_up_s=first - started,
        training_s=training_s,
        evaluation_s=evaluation_s,
        idle_s=max(0.0, CORES * seconds - training_s - evaluation_s),
        note=_note(outcomes, verdict["best"]),
    )


def _note(outcomes: Sequence[TrialOutcome], best: Mapping[str, Any] | None) -> str:
    length = f", recipe of {best['params']['cycle_epochs']:.3g}" if best else ", no recipe"
    return f"{len(outcomes)} trials, {sum(outcome.epochs for outcome in outcomes):.0f} epochs{length}"
