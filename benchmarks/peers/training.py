"""What the peers share: their job, a one-cycle through the program's own training loop, and the diary they keep."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Knobs, Schedule
from superconv_tune.lr.span import Span
from superconv_tune.problems.payload import Payload, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import EvaluationSet, Problem
from superconv_tune.record.trial import Precision
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.training.evaluation import evaluate
from superconv_tune.training.loop import Runtime, train
from superconv_tune.training.randomness import seed_all

WORKERS = 2
BLOCK_STEPS = 50


@dataclass(frozen=True)
class Job:
    """What a peer is given.

    Attributes:
        spec: the task, as our own search reads it.
        unit_epochs: epochs in the unit of length; see `benchmarks.peers.tasks.Task`.
        precision: number format of the forward pass that our own search uses on this machine.
        seed: seed of its random choices.
        started: Unix time at which its process was started.
        deadline: Unix time at which its process has to have ended.
        folder: folder for its diary and weights.
    """

    spec: Mapping[str, Any]
    unit_epochs: int
    precision: Precision
    seed: int
    started: float
    deadline: float
    folder: str

    def payload(self) -> Payload:
        """Data and model, read and split as our own search does it."""
        return prepare(ExperimentSpec.model_validate(self.spec))[0]


@dataclass(frozen=True)
class Recipe:
    """One training.

    Attributes:
        params: the hyperparameters, its length among them.
        max_lr: peak of the one-cycle.
        seed: of weights and batches.
    """

    params: Hyperparameters
    max_lr: float
    seed: int


@dataclass(frozen=True)
class Report:
    """Where a training stands.

    Attributes:
        epochs: trained so far.
        train_s: seconds in training steps since the last report.
        eval_s: seconds in the evaluation.
        validation: accuracy on the validation part.
    """

    epochs: float
    train_s: float
    eval_s: float
    validation: float


class Training:
    """A fresh model in one one-cycle.

    Args:
        problem: data, model, loss and metric.
        precision: number format of the forward pass.
        recipe: what is trained.
    """

    def __init__(self, problem: Problem, precision: Precision, recipe: Recipe) -> None:
        seed_all(recipe.seed)
        self._problem, self.recipe = problem, recipe
        self._runtime = runtime(problem, precision)
        self.model = self._runtime.place(problem.make_model())
        self.steps_per_epoch = problem.train.steps_per_epoch(recipe.params.batch_size)
        self.steps = max(1, round(recipe.params.cycle_epochs * self.steps_per_epoch))

    def reports(self, every_epochs: float, deadline: float = math.inf) -> Iterator[Report]:
        """A report after every so many epochs and at the end; it ends early at the deadline, or if the loss is NaN."""
        every = max(1, min(self.steps, round(every_epochs * self.steps_per_epoch)))
        taken, began = 0, time.perf_counter()
        with closing(self._blocks(every, deadline)) as blocks:
            for count, is_finite in blocks:
                taken += count
                if not is_finite:
                    return
                if taken % every and taken != self.steps:
                    continue
                trained = time.perf_counter()
                validation = accuracy(self._problem, self.model, self._problem.validation, self._runtime)
                ended = time.perf_counter()
                yield Report(taken / self.steps_per_epoch, trained - began, ended - trained, validation)
                began = time.perf_counter()

    def _blocks(self, every: int, deadline: float) -> Generator[tuple[int, bool], None, None]:
        """Train; the number of steps of each block, and whether their losses are finite."""
        problem, params = self._problem, self.recipe.params
        schedule = Schedule().knobs(Span.of(params, self.steps, self.recipe.max_lr))

        def knobs(step: int) -> Knobs | None:
            is_over = step == self.steps or time.time() >= deadline
            return None if is_over else schedule(step / max(1, self.steps - 1))

        blocks = train(
            self.model,
            problem.make_optimizer(self.model, params),
            problem.train.stream(params.batch_size, self.recipe.seed),
            lambda outputs, targets: problem.loss(outputs, targets, params.label_smoothing),
            knobs,
            runtime=self._runtime,
            clock=time.perf_counter,
            block_steps=BLOCK_STEPS,
            round_steps=every,
        )
        with closing(blocks):
            for block in blocks:
                yield len(block), math.isfinite(block.loss.sum())


def runtime(problem: Problem, precision: Precision) -> Runtime:
    """Device, precision and memory layout as in the program's own trials."""
    has_images = any(isinstance(module, nn.Conv2d) for module in problem.make_model().modules())
    return Runtime(problem.device, precision, channels_last=has_images)


def accuracy(problem: Problem, model: nn.Module, part: EvaluationSet, runtime: Runtime) -> float:
    """Accuracy of a model on a part."""
    return problem.metric.compute(*evaluate(model, part.batches(), runtime))


def on_cpu(payload: Payload) -> Problem:
    """The problem on the CPU, with one torch thread for this process."""
    torch.set_num_threads(1)
    return realise(payload, torch.device("cpu"))


@dataclass(frozen=True)
class Entry:
    """One line of a diary: a report of a training, or a range test that ended.

    Attributes:
        at: Unix time.
        train_s: seconds in training steps.
        eval_s: seconds in evaluation.
        epochs: trained so far by this training.
        validation: accuracy; None for a range test.
        recipe: what is trained, by the names of the hyperparameters; empty for a range test.
        weights: file of the weights, if they are the best of this process so far or a fresh model's.
        is_fresh: whether this is a model of a recipe that was chosen before, trained to be delivered.
    """

    at: float
    train_s: float
    eval_s: float
    epochs: float = 0.0
    validation: float | None = None
    recipe: Mapping[str, float] | None = None
    weights: str | None = None
    is_fresh: bool = False


class Diary:
    """What a process did, line by line, and its best weights so far.

    Args:
        folder: shared by all processes of an arm.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._best = -1.0
        self._kept = 0

    def note(self, training: Training, report: Report, *, is_fresh: bool = False) -> None:
        """Write a line on a training; keep its weights where they are the best so far, or fresh."""
        weights: str | None = None
        if is_fresh or report.validation > self._best:
            self._best = max(self._best, report.validation)
            self._kept += 1
            weights = f"weights-{os.getpid()}-{self._kept}.pt"
            torch.save(training.model.state_dict(), self._folder / weights)
        recipe = {**asdict(training.recipe.params), "max_lr": training.recipe.max_lr, "seed": training.recipe.seed}
        self._write(
            Entry(
                time.time(), report.train_s, report.eval_s, report.epochs, report.validation, recipe, weights, is_fresh
            )
        )

    def note_ramp(self, seconds: float) -> None:
        """Write a line on a range test."""
        self._write(Entry(time.time(), seconds, 0.0))

    def _write(self, entry: Entry) -> None:
        with (self._folder / f"diary-{os.getpid()}.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(entry)) + "\n")


def read_diaries(folder: Path) -> list[Entry]:
    """All lines of all processes, in the order of time; a line that a killed process cut off is left out."""
    lines = [
        line for file in folder.glob("diary-*.jsonl") for line in file.read_text("utf-8").splitlines(keepends=True)
    ]
    return sorted((Entry(**json.loads(line)) for line in lines if line.endswith("\n")), key=lambda entry: entry.at)
