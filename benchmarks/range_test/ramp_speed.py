"""Claim 3: how far picks move with the length of the ramp: ``ramp_speed.md``.

    python -m benchmarks.range_test.ramp_speed [TASK ...]

The naive pick is the lowest point of a smoothed ramp over six decades, of 40 and of 400 steps; ours is the peak that
the finder gives after fine ramps of 40 to 400 steps. Exits with 1 if ours moves by more than 1.5 on more than a third
of the tasks.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.range_test.tasks import OPTIMIZERS, TASKS
from benchmarks.report import machine
from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.finder.find import FinderPlan, find
from superconv_tune.lr.lr_range import HALF_LIFE_SHARE, MIN_HALF_LIFE, running_mean, split_ramps
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import RangeTest
from superconv_tune.record.trial import Ramps, TrialOutcome, TrialRequest
from superconv_tune.trial.run import run
from superconv_tune.trial.tracker import Phase
from superconv_tune.trial.trackers import NullTracker

RESULT = Path(__file__).with_name("ramp_speed.md")
COMMAND = "python -m benchmarks.range_test.ramp_speed"
WORKERS = 2
NAIVE_STEPS = (40, 400)
OUR_STEPS = (40, 100, 200, 400)
SIX_DECADES: Mapping[str, tuple[float, float]] = {"sgd": (1e-5, 10.0), "adamw": (1e-6, 1.0)}
NAIVE_SEEDS = 3  # whose geometric mean is taken, as ours takes three replicates
BOUND = 1.5  # factor by which ours may move
SHARE = 2.0 / 3.0  # of the tasks, at least
LEFT_OUT = "fashion"  # its ramps take minutes each on a small machine

Job = tuple[str, str]


class _Keeper(NullTracker):
    """Keeps every step of the ramps."""

    def __init__(self) -> None:
        self.blocks: list[tuple[Phase, Curve]] = []

    def record(self, phase: Phase, block: Curve) -> None:
        self.blocks.append((phase, block))


@dataclass(frozen=True)
class Moved:
    """Picks of one task by the length of the ramp."""

    task: str
    optimizer: str
    naive: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def naive_factor(self) -> float:
        """Between the ends of the naive picks."""
        return max(self.naive) / min(self.naive)

    @property
    def our_factor(self) -> float:
        """The same for ours; infinite if a ramp gave no learning rate."""
        return max(self.ours) / min(self.ours) if min(self.ours) > 0.0 else math.inf

    def cells(self) -> tuple[str, ...]:
        """For the table."""
        picks = [" ".join(f"{pick:.3g}" for pick in side) for side in (self.naive, self.ours)]
        return self.task, self.optimizer, picks[0], f"{self.naive_factor:.2f}", picks[1], f"{self.our_factor:.2f}"


def measure(job: Job) -> Moved:
    """All picks of one task."""
    name, optimizer = job
    problem = TASKS[name].problem(optimizer)
    params = replace(Hyperparameters(), batch_size=TASKS[name].batch_size)
    naive = tuple(_naive(problem, optimizer, params, steps) for steps in NAIVE_STEPS)
    return Moved(name, optimizer, naive, tuple(_ours(problem, optimizer, params, steps) for steps in OUR_STEPS))


def _naive(problem: Problem, optimizer: str, params: Hyperparameters, steps: int) -> float:
    picks = [_lowest(_ramp(problem, optimizer, params, steps, seed)) for seed in range(NAIVE_SEEDS)]
    return float(np.exp(np.mean(np.log(picks))))


def _lowest(curve: Curve) -> float:
    finite = curve.take(np.isfinite(curve.loss))
    decay = 0.5 ** (1.0 / max(MIN_HALF_LIFE, HALF_LIFE_SHARE * len(curve)))
    return float(finite.lr[np.argmin(running_mean(finite.loss, decay))])


def _ramp(problem: Problem, optimizer: str, params: Hyperparameters, steps: int, seed: int) -> Curve:
    keeper = _Keeper()
    request = TrialRequest(
        trial_id="ramp-speed",
        attempt=1,
        purpose=RangeTest(),
        work=Ramps(*SIX_DECADES[optimizer], steps=steps, is_centred=False),
        params=params,
        seed=seed,
        schedule=Schedule(),
        deadline=math.inf,
    )
    outcome: TrialOutcome = run(request, problem, keeper, time.time)
    assert keeper.blocks, outcome.reason
    return split_ramps(Curve.join([block for _, block in keeper.blocks]))[0]


def _ours(problem: Problem, optimizer: str, params: Hyperparameters, steps: int) -> float:
    plan = FinderPlan(optimizer=optimizer, params=params, steps=steps)
    found = find(problem, plan, NullTracker(), time.time)
    return 0.0 if found.rule is None else found.max_lr(found.probe_epochs)


def _written(moved: list[Moved], took_s: float) -> tuple[str, bool]:
    within = sum(each.our_factor <= BOUND for each in moved)
    holds = within >= SHARE * len(moved)
    factors = [[each.naive_factor for each in moved], [each.our_factor for each in moved]]
    medians = [float(np.median(side)) for side in factors]
    head = ("task", "optimizer", "naive at 40, 400", "moved", "ours at 40, 100, 200, 400", "moved")
    rows = [head, ("---",) * len(head), *(each.cells() for each in moved)]
    text = "\n\n".join(
        [
            "# Claim 3: picks and the length of the ramp",
            f"`{COMMAND}`, {took_s:.0f} s.\n{machine()}",
            f"Ours moves by at most {BOUND:g} on {within} of {len(moved)} tasks, where {SHARE:.0%} are needed: "
            f"{'holds' if holds else 'BROKEN'}. Median factor {medians[1]:.2f}, naive {medians[0]:.2f}; "
            f"the naive pick moves by 3 or more on {sum(factor >= 3.0 for factor in factors[0])}.",
            "\n".join("| " + " | ".join(row) + " |" for row in rows),
        ]
    )
    return text, holds


def main(names: list[str]) -> int:
    """Measure, write and judge."""
    started = time.perf_counter()
    small = [name for name in TASKS if TASKS[name].family != LEFT_OUT]
    jobs = [(name, optimizer) for name in names or small for optimizer in OPTIMIZERS]
    moved = []
    with ProcessPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for each in pool.map(measure, jobs):
            moved.append(each)
            print(*each.cells(), flush=True)  # noqa: T201 - progress of a command
    text, holds = _written(moved, time.perf_counter() - started)
    RESULT.write_text(text + "\n", encoding="utf-8")
    print(text)  # noqa: T201 - the result of a command
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
