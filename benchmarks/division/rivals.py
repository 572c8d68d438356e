"""What else one could do in the same minutes: small, honest replays of other ways to search, in the same world.

Each begins `START_S` after the command, as the real search does, and trains what its rule says. One that chooses by
validation hands over the model that it has, and is judged by the expected accuracy of such a model; that fresh ones
might diverge is not held against it, and nothing is charged for confirming it.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import Protocol

import numpy as np

from benchmarks.division.world import AROUND_S, DIVERGED_SHARE, END_S, SIZES, START_S, Setting, Task

GRACE, FACTOR = 1, 3  # of ASHA: epochs before the first comparison, and the ratio of the later ones
UNANNEALED = 0.15  # share of what was learned that does not show at the beginning of a cycle, where rates are high
DECAYS = (1e-6, 1e-2)  # log-uniform, as in our search space
BAND = 4.0  # from the range test's pick divided by this to the pick times this
TRIALS_PER_WORKER = 8  # of the random search, which one length is made for
USUAL = 128  # batch size for which the range test picks
LADDER_SIZE, LADDER_DECAY, LADDER_SPARE_S = 64, 5e-4, 3.0
LADDER_RATES: Mapping[str, tuple[float, ...]] = {
    "sgd": (0.0125, 0.05, 0.2, 0.8),
    "adamw": (0.0005, 0.002, 0.008, 0.032),
}


@dataclass(frozen=True)
class Chosen:
    """What a rival hands over.

    Attributes:
        truth: its expected accuracy.
        length: of its cycle, in epochs.
        trials: how many were begun.
    """

    truth: float
    length: float
    trials: int


class Rival(Protocol):
    """A way to search."""

    def __call__(self, task: Task, budget_s: float, workers: int, seed: int) -> Chosen:
        """What it hands over after that many seconds."""
        ...


def random_in_band(task: Task, budget_s: float, workers: int, seed: int) -> Chosen:
    """Complete cycles of one length at random rates around the best one of an epoch; the best on validation.

    The length is such that every worker trains about `TRIALS_PER_WORKER`; batch size and weight decay are random too,
    and the rate follows the root of the batch size.
    """
    rng = np.random.default_rng(seed)
    each_s = (budget_s - START_S - END_S) / TRIALS_PER_WORKER
    epochs = fmean(task.epochs_in(each_s, size) for size in SIZES)
    if epochs <= 0.0:
        return Chosen(task.surface.trivial, 0.0, 0)
    pick = task.surface.best_rate(1.0, USUAL)
    seen: list[tuple[float, Setting]] = []
    free = [START_S] * workers
    while True:
        size = int(rng.choice(SIZES))
        lr = pick * BAND ** rng.uniform(-1.0, 1.0) * math.sqrt(size / USUAL)
        setting = Setting(epochs, size, lr, _log_uniform(rng, DECAYS))
        end = heapq.heappop(free) + task.trial_s(epochs, size)
        if end > budget_s - END_S:
            break
        heapq.heappush(free, end)
        skill, _ = task.trained(setting, rng)
        seen.append((task.drawn(skill, task.items.validation, rng), setting))
    if not seen:
        return Chosen(task.surface.trivial, 0.0, 0)
    _, best = max(seen, key=lambda pair: pair[0])
    return Chosen(task.accuracy(best), best.epochs, len(seen))


@dataclass
class _Ladder:
    """The short ladder's clock, workers and memory.

    Attributes:
        task: the world.
        workers: trials at once.
        rng: everything random.
        now: seconds since the command.
        pace: seconds per epoch of every trial that ended, in that order.
        trials: how many were begun.
    """

    task: Task
    workers: int
    rng: np.random.Generator
    now: float = START_S
    pace: list[float] = field(default_factory=list)
    trials: int = 0

    def run(self, settings: Sequence[Setting], *, tests: bool = False) -> list[float]:
        """Validation values of these, trained at once as far as there are workers; returns when all have ended."""
        free, ends = [self.now] * self.workers, []
        parts = 1.0 + tests * self.task.items.test / self.task.items.validation
        for setting in settings:
            took = self.task.train_s(setting.epochs, setting.batch_size) + parts * self.task.slow * self.task.eval_s
            ends.append((heapq.heappop(free) + took, took / setting.epochs))
            heapq.heappush(free, ends[-1][0])
        self.pace += [pace for _, pace in sorted(ends)]
        self.now, self.trials = max(ends)[0], self.trials + len(settings)
        items = self.task.items.validation
        return [self.task.drawn(self.task.trained(setting, self.rng)[0], items, self.rng) for setting in settings]

    def bracket(self, epochs: float, rates: Sequence[float], most: int) -> float:
        """The best rate of a length: further up while the highest wins, further down while the lowest does."""
        got: dict[float, float] = {}
        while True:
            got |= zip(rates, self.run([_rung(epochs, rate) for rate in rates]), strict=True)
            best = max(got, key=lambda rate: got[rate])
            if len(got) >= most or min(got) < best < max(got):
                return best
            rates = [2.0 * best] if best == max(got) else [best / 2.0]


def _rung(epochs: float, rate: float) -> Setting:
    return Setting(epochs, LADDER_SIZE, rate, LADDER_DECAY)


def short_ladder(task: Task, budget_s: float, workers: int, seed: int) -> Chosen:
    """Cycles of 1, 3 and 9 epochs, at each length the best peak beside what lies above it, then the longest that fit.

    The longest are fresh seeds of the best peak in two waves, of as many trials as there are workers, and of no more
    than two each; the result is their mean.
    """
    ladder = _Ladder(task, workers, np.random.default_rng(seed))
    best = ladder.bracket(1.0, LADDER_RATES[task.optimizer], 6)
    best = ladder.bracket(3.0, (best, 2.0 * best), 5)
    if 9 * 4 * ladder.pace[-1] / workers < 0.4 * (budget_s - ladder.now):
        best = ladder.bracket(9.0, (best, 2.0 * best), 3)
    told: list[Setting] = []
    for waves in (2, 1):
        left_s = budget_s - ladder.now - LADDER_SPARE_S
        epochs = 0.97 * left_s / waves / max(ladder.pace[-2:])
        if task.steps(epochs, LADDER_SIZE) > 1 and epochs > 0.0:
            wave = [_rung(epochs, best)] * min(2, workers)
            ladder.run(wave, tests=True)
            told += wave
    if not told:
        return Chosen(task.surface.trivial, 0.0, ladder.trials)
    return Chosen(fmean(map(task.expected, told)), max(setting.epochs for setting in told), ladder.trials)


@dataclass(order=True)
class _Run:
    """A trial of ASHA that trains until its next comparison.

    Attributes:
        at: seconds since the command, when it reports.
        number: order of beginning.
        setting: of its whole cycle.
        begun: seconds since the command.
        epochs: that it will have trained by then.
        luck: of its seed, in accuracy.
        lost: whether it diverges.
    """

    at: float
    number: int
    setting: Setting = field(compare=False)
    begun: float = field(compare=False)
    epochs: int = field(compare=False)
    luck: float = field(compare=False)
    lost: bool = field(compare=False)


@dataclass(frozen=True)
class _Asha:
    """What ASHA is told: the world, and the length of all cycles."""

    task: Task
    most: int

    def begin(self, at: float, number: int, rng: np.random.Generator) -> _Run:
        """A new random trial, until its first comparison."""
        task, size = self.task, int(rng.choice(SIZES))
        setting = Setting(float(self.most), size, _log_uniform(rng, task.rates), _log_uniform(rng, DECAYS))
        lost = bool(rng.random() < float(task.surface.lost(setting.epochs, size, setting.max_lr)))
        luck = rng.normal(0.0, task.surface.noise.spread)
        begun = at + AROUND_S
        return _Run(begun + GRACE * self.epoch_s(size), number, setting, begun, GRACE, luck, lost)

    def epoch_s(self, size: int) -> float:
        """Seconds of an epoch with its evaluation."""
        return self.task.trial_s(100.0, size) / 100.0 + self.task.slow * self.task.eval_s

    def longer(self, run: _Run) -> _Run:
        """The same until the next comparison, or to its end."""
        epochs = min(self.most, FACTOR * run.epochs)
        return replace(run, at=run.begun + epochs * self.epoch_s(run.setting.batch_size), epochs=epochs)

    def cut(self, run: _Run, end: float) -> _Run:
        """The same as far as it gets until the end of the search, in whole epochs."""
        epochs = int((end - run.begun) / self.epoch_s(run.setting.batch_size))
        return replace(run, at=end, epochs=min(run.epochs, epochs))

    def skill(self, run: _Run) -> float:
        """Accuracy so far: that of a complete cycle of so many epochs, less what has not annealed yet."""
        trivial, share = self.task.surface.trivial, run.epochs / self.most
        if run.epochs < 1 or (run.lost and share >= DIVERGED_SHARE):
            return trivial
        plain = self.task.accuracy(replace(run.setting, epochs=float(run.epochs))) + run.luck
        return trivial + (plain - trivial) * (1.0 - UNANNEALED * (1.0 - share))


def asha(task: Task, budget_s: float, workers: int, seed: int, *, most: int) -> Chosen:
    """Ray Tune's asynchronous successive halving: random cycles of ``most`` epochs, of which laggards are stopped.

    After 1, 3, 9 ... epochs a trial goes on if its validation value is within the best third of those that came there
    before. One whose cycle is read early looks worse than a complete one; all of them do, by the same rule: the value
    of a complete cycle of the epochs so far, less `UNANNEALED` of what was learned, a loss that fades with the cycle.
    The best of all last values is handed over.
    """
    rng, way, end = np.random.default_rng(seed), _Asha(task, most), budget_s - END_S
    running: list[_Run] = [way.begin(START_S, number, rng) for number in range(workers)]
    heapq.heapify(running)
    compared: dict[int, list[float]] = defaultdict(list)
    best, begun = (-1.0, running[0]), workers
    while running[0].at <= end:
        run = running[0]
        value = task.drawn(way.skill(run), task.items.validation, rng)
        before = compared[run.epochs]
        goes_on = run.epochs < most and value >= _cutoff(before)
        insort(before, value)
        if goes_on:
            heapq.heapreplace(running, way.longer(run))
        else:
            best = max(best, (value, run), key=lambda pair: pair[0])
            heapq.heapreplace(running, way.begin(run.at, begun, rng))
            begun += 1
    for run in (way.cut(run, end) for run in running):
        value = task.drawn(way.skill(run), task.items.validation, rng)
        best = max(best, (value, run), key=lambda pair: pair[0])
    _, chosen = best
    return Chosen(way.skill(replace(chosen, luck=0.0)), float(chosen.epochs), begun)


def _cutoff(values: Sequence[float]) -> float:
    """What the best third of these sorted values exceeds, between two of them; nothing of an empty list."""
    if not values:
        return -math.inf
    place = (1.0 - 1.0 / FACTOR) * (len(values) - 1)
    below, above = values[math.floor(place)], values[math.ceil(place)]
    return below + (place % 1.0) * (above - below)


def _log_uniform(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))


RIVALS: Mapping[str, Rival] = {
    "short_ladder": short_ladder,
    "asha16": partial(asha, most=16),
    "asha32": partial(asha, most=32),
    "random_in_band": random_in_band,
}
