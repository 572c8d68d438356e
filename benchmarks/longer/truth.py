"""What the best cycles of a task really reach: a wide search that knows nothing of the program's.

At every length the setting is improved along one axis after the other until no neighbour is better: peak, weight decay,
label smoothing, augmentation, and the peak again. It begins with peaks over three decades at about the length that a
search has time for; a longer cycle begins at the best setting of the shorter one. Settings are chosen by one half of
the fresh items, and two fresh seeds of the best tell the truth on the other half.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.longer.search import PATIENCE_S
from benchmarks.longer.tasks import Task
from superconv_tune.core.bits import Bits, unpack
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Confirm
from superconv_tune.record.trial import INFORMATIVE, Cycle, TrialRequest
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

LONGER = (1.0, 8.0 / 3.0, 8.0)  # times the length for which a search has time, about
PEAKS = {"sgd": (4e-4, 14), "adamw": (2.5e-5, 13)}  # the lowest, and how many, each twice the one before
DECAYS = (0.0, 5e-5, 5e-4, 5e-3, 5e-2, 0.5)
SMOOTHINGS = (0.0, 0.1)
COARSE = 2  # every second peak first
SCREENED = 1  # seed of the cycles that are compared
FRESH = (2, 3)  # seeds of those that tell the truth


@dataclass(frozen=True)
class Setting:
    """What the wide search varies."""

    max_lr: float
    weight_decay: float = DECAYS[2]
    label_smoothing: float = 0.0
    augment: int = 1


@dataclass(frozen=True)
class Truth:
    """The best cycles of one length.

    Attributes:
        epochs: the length.
        setting: of the best.
        error: of fresh seeds, mean, on the half of the fresh items by which nothing was chosen.
        seeds: the same of each.
        tried: number of settings.
    """

    epochs: float
    setting: Setting
    error: float
    seeds: tuple[float, ...]
    tried: int


@dataclass
class Bench:
    """Trains cycles of one length, each once.

    Attributes:
        problem: the task, with all fresh items in its test part.
        task: facts about it.
        epochs: the length.
        values: accuracy of every setting so far.
    """

    problem: Problem
    task: Task
    epochs: float
    values: dict[Setting, float] = field(default_factory=dict)

    def value(self, setting: Setting) -> float:
        """Accuracy by which settings are compared; that of nothing where the cycle went wrong."""
        if setting not in self.values:
            right = self.right(setting, SCREENED)
            self.values[setting] = 0.0 if right is None else float(halves(right, self.task.held)[0].mean())
        return self.values[setting]

    def right(self, setting: Setting, seed: int) -> Bits | None:
        """Which of the fresh items a model gets right; None if its training diverged."""
        request = TrialRequest(
            trial_id="longer",
            attempt=1,
            purpose=Confirm(recipe=1),
            work=Cycle(setting.max_lr, reads_test=True),
            params=Hyperparameters(
                cycle_epochs=self.epochs,
                batch_size=self.task.batch_size,
                weight_decay=setting.weight_decay,
                label_smoothing=setting.label_smoothing,
                augment=setting.augment,
            ),
            schedule=Schedule(),
            seed=seed,
            deadline=time.time() + PATIENCE_S,
            precision=self.task.precision,
        )
        outcome = run(request, self.problem, NullTracker(), time.time, "virtual")
        if outcome.status not in INFORMATIVE:
            raise RuntimeError(f"{self.task} {setting} ended as {outcome.status}: {outcome.reason}")
        return None if outcome.test_correct is None else unpack(outcome.test_correct, outcome.test_items)


def halves(right: Bits, first: int) -> tuple[Bits, Bits]:
    """The items by which settings are chosen, and those that tell the truth, behind the ``first`` that a user has."""
    fresh = right[first:]
    return fresh[0::2], fresh[1::2]


def truths(task: Task, problem: Problem) -> list[Truth]:
    """The best cycles of every length, the shortest first; the test part of ``problem`` has all fresh items."""
    found: list[Truth] = []
    setting: Setting | None = None
    for stretch in LONGER:
        bench = Bench(problem, task, stretch * task.epochs)
        setting = _improved(task, bench, setting or _first(task, bench))
        errors = [_error(bench.right(setting, seed), task.held) for seed in FRESH]
        found.append(Truth(bench.epochs, setting, float(np.mean(errors)), tuple(errors), len(bench.values)))
    return found


def _error(right: Bits | None, first: int) -> float:
    return 1.0 if right is None else float(1.0 - halves(right, first)[1].mean())


def _first(task: Task, bench: Bench) -> Setting:
    """The best of every second peak."""
    return max((Setting(peak) for peak in peaks(task.optimizer)[::COARSE]), key=bench.value)


def _improved(task: Task, bench: Bench, setting: Setting) -> Setting:
    """The setting after a climb along every axis, and along the peaks once more."""
    rates = peaks(task.optimizer)
    setting = climb(setting, [replace(setting, max_lr=rate) for rate in rates], bench.value)
    setting = climb(setting, [replace(setting, weight_decay=decay) for decay in DECAYS], bench.value)
    setting = climb(setting, [replace(setting, label_smoothing=share) for share in SMOOTHINGS], bench.value)
    if task.augment:
        setting = climb(setting, [replace(setting, augment=flag) for flag in (0, 1)], bench.value)
    return climb(setting, [replace(setting, max_lr=rate) for rate in rates], bench.value)


def climb(start: Setting, axis: Sequence[Setting], value: Callable[[Setting], float]) -> Setting:
    """The setting from which no neighbour on the axis is better, reached from ``start`` by steps to better ones."""
    place = axis.index(start)
    while True:
        around = axis[max(0, place - 1) : place + 2]
        better = max((axis[place], *around), key=value)  # the first of equals: it stays where nothing is gained
        if better == axis[place]:
            return better
        place = axis.index(better)


def peaks(optimizer: str) -> list[float]:
    """More than three decades of learning rates."""
    lowest, count = PEAKS[optimizer]
    return [lowest * 2.0**power for power in range(count)]
