"""Arms as whole processes: what each delivered, what it chose, and how long it took."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import yaml

from benchmarks.peers.training import WORKERS, Entry, Job, accuracy, on_cpu, read_diaries, runtime
from superconv_tune.record.trial import Precision
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.question import Question, ready

OVERRUN = 1.03  # times its minutes: what ends later is marked, and what a peer trains later does not count
PATIENCE_S = 60.0  # after which a process that does not end is killed
WHOLE = 0.99  # of its epochs: a training that came to its end, whole steps counted
LAST_LINES = 20  # of a process that failed
STUDY = "ours"


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        words: for the tables.
        module: of this package; None for our own search.
        options: of the module's ``run``.
        share: of the minutes.
    """

    words: str
    module: str | None = None
    options: Mapping[str, int] = field(default_factory=dict)
    share: float = 1.0


ARMS: Mapping[str, Arm] = {
    "ours": Arm("ours"),
    "ours_half": Arm("ours, half the time", share=0.5),
    "asha16": Arm("Ray Tune, OptunaSearch, ASHA, told 16", "ray_asha", {"told": 16}),
    "asha32": Arm("Ray Tune, OptunaSearch, ASHA, told 32", "ray_asha", {"told": 32}),
    "random_in_band": Arm("random search in the band of our range test", "random_in_band"),
    "short_ladder": Arm("the page of PyTorch", "short_ladder"),
}


@dataclass(frozen=True)
class Result:
    """What one arm delivered in one run.

    Attributes:
        test: accuracy on the test part, mean of the models delivered; None if nothing was.
        validation: the same on the validation part, by which it was chosen.
        models: how many models these are means of.
        chose: hyperparameters of what was delivered.
        longest_epochs: length of the longest training that came to its end.
        trials: trainings that were begun.
        wall_s: from the start of the process to its end.
        training_share: of the worker-seconds, in training and evaluation.
        precision: number format of the forward pass; empty if it is not known.
        failure: last lines of a process that failed; empty else.
    """

    test: float | None
    validation: float | None
    models: int
    chose: Mapping[str, float]
    longest_epochs: float
    trials: int
    wall_s: float
    training_share: float
    precision: str
    failure: str = ""


@dataclass(frozen=True)
class Asked:
    """One task in one repeat, ready for every arm.

    Attributes:
        spec: what our own search reads, and the peers too.
        unit_epochs: as in `Job`.
        question: the same, read; our own search would train in its precision.
        seconds: of a whole run.
        seed: of the repeat.
    """

    spec: Mapping[str, Any]
    unit_epochs: int
    question: Question
    seconds: float
    seed: int

    @staticmethod
    def of(spec: Mapping[str, Any], unit_epochs: int, seconds: float, seed: int) -> Asked:
        """Reads the data, so that decoded images are in the cache before the first arm's clock starts."""
        return Asked(spec, unit_epochs, ready(ExperimentSpec.model_validate(spec)), seconds, seed)

    @property
    def precision(self) -> Precision:
        """Number format of the forward pass."""
        return self.question.measured.precision


def run_arm(name: str, asked: Asked, folder: Path) -> Result:
    """Run an arm as a process of its own on two cores, with its files in an empty folder."""
    arm = ARMS[name]
    seconds = arm.share * asked.seconds
    if arm.module is None:
        return _run_ours(asked, seconds, folder)
    return _run_peer(arm.module, arm.options, asked, seconds, folder)


def _run_ours(asked: Asked, seconds: float, folder: Path) -> Result:
    """Our search as its users start it."""
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump(asked.spec), encoding="utf-8")
    options = {
        "--budget": f"{seconds:g}s",
        "--target": "none",
        "--seed": str(asked.seed),
        "--workers": str(WORKERS),
        "--output": str(folder),
        "--name": STUDY,
    }
    started = time.time()
    command = [sys.executable, "-m", "superconv_tune.search", str(spec), *chain.from_iterable(options.items())]
    failure = _process(command, seconds, folder)
    wall_s = time.time() - started
    verdict, recipe = (_content(folder / STUDY / file) for file in ("verdict.json", "recipe.yaml"))
    return result_of_ours(verdict, recipe, wall_s, failure)


def _run_peer(module: str, options: Mapping[str, int], asked: Asked, seconds: float, folder: Path) -> Result:
    """A peer; what it trained in time is read from its diary, and tested here."""
    started = time.time()
    job = Job(asked.spec, asked.unit_epochs, asked.precision, asked.seed, started, started + seconds, str(folder))
    words = [module, json.dumps(asdict(job)), json.dumps(options)]
    failure = _process([sys.executable, "-m", "benchmarks.peers.process", *words], seconds, folder)
    wall_s = time.time() - started
    in_time = [entry for entry in read_diaries(folder) if entry.at <= started + OVERRUN * seconds]
    delivered = delivered_of(in_time)
    result = result_of_peer(in_time, delivered, _tests(asked, delivered, folder), WORKERS * seconds)
    return replace(result, wall_s=wall_s, precision=asked.precision, failure=failure)


def _process(command: Sequence[str], seconds: float, folder: Path) -> str:
    """Run to the end; what it said last, if it failed. One that does not end is killed with its whole group."""
    cores = sorted(os.sched_getaffinity(0))[:WORKERS]
    with (folder / "output.log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        os.sched_setaffinity(child.pid, cores)
        try:
            child.wait(OVERRUN * seconds + PATIENCE_S)
        except subprocess.TimeoutExpired:
            log.write(f"It did not end within {OVERRUN * seconds + PATIENCE_S:g} s.\n")
        finally:  # the next one has the cores alone, also where somebody interrupts us
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if child.returncode == 0:
        return ""
    lines = (folder / "output.log").read_text(encoding="utf-8").strip().splitlines()[-LAST_LINES:]
    return "\n".join([f"ended with {child.returncode}:", *lines])


def _content(file: Path) -> Mapping[str, Any]:
    """The content of a file of JSON or YAML; empty if there is none."""
    return dict(yaml.safe_load(file.read_text(encoding="utf-8"))) if file.exists() else {}


def result_of_ours(verdict: Mapping[str, Any], recipe: Mapping[str, Any], wall_s: float, failure: str) -> Result:
    """The mean of the fresh models that confirmed our recipe.

    Args:
        verdict: content of verdict.json; empty if there is none.
        recipe: content of recipe.yaml; empty if there is none.
        wall_s: from the start of the process to its end.
        failure: last lines of the process if it failed.
    """
    if not verdict:
        return Result(None, None, 0, {}, 0.0, 0, wall_s, 0.0, "", failure or "no verdict.json")
    fresh = [each for each in verdict["confirmation"] if each["test"] is not None]
    chose = verdict["best"]["params"] if verdict["best"] else {}
    return Result(
        test=fmean(each["test"] for each in fresh) if fresh else None,
        validation=fmean(each["validation"] for each in fresh) if fresh else None,
        models=len(fresh),
        chose=chose,
        longest_epochs=max([chose.get("cycle_epochs", 0.0), *(rung["epochs"] for rung in verdict["ladder"])]),
        trials=sum(verdict["trials"].values()),
        wall_s=wall_s,
        training_share=verdict["budget"]["training_share"],
        precision=recipe.get("precision", ""),
        failure=failure,
    )


def delivered_of(entries: Sequence[Entry]) -> list[Entry]:
    """The fresh models of a peer; if it has none, the model of its best validation accuracy, the first of equals."""
    fresh = [entry for entry in entries if entry.is_fresh]
    kept = [entry for entry in entries if entry.weights is not None]
    return fresh or sorted(kept, key=lambda entry: -(entry.validation or 0.0))[:1]


def _tests(asked: Asked, delivered: Sequence[Entry], folder: Path) -> list[float]:
    """Accuracy on the test part, which the peer's own process never reads."""
    problem = on_cpu(asked.question.payload)
    here, found = runtime(problem, asked.precision), list[float]()
    for entry in delivered:
        model = problem.make_model()
        model.load_state_dict(torch.load(folder / str(entry.weights), weights_only=True))
        found.append(accuracy(problem, here.place(model), problem.test, here))
    return found


def result_of_peer(
    entries: Sequence[Entry], delivered: Sequence[Entry], tests: Sequence[float], worker_s: float
) -> Result:
    """What a peer delivered, without what only the one who started its process knows.

    Args:
        entries: of its diary.
        delivered: those of its models.
        tests: their accuracies on the test part.
        worker_s: worker-seconds of its whole time.
    """
    recipes = [entry.recipe for entry in entries if entry.recipe is not None]
    whole = [entry.epochs for entry in entries if entry.recipe and entry.epochs >= WHOLE * entry.recipe["cycle_epochs"]]
    return Result(
        test=fmean(tests) if tests else None,
        validation=fmean(entry.validation or 0.0 for entry in delivered) if delivered else None,
        models=len(delivered),
        chose=(delivered[-1].recipe or {}) if delivered else {},
        longest_epochs=max(whole, default=0.0),
        trials=len({recipe["seed"] for recipe in recipes}),
        wall_s=0.0,
        training_share=sum(entry.train_s + entry.eval_s for entry in entries) / worker_s,
        precision="",
    )
