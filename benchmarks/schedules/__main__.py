"""One-cycle against step, linear and constant rates on MNIST-1D, each at its own best rate: ``schedules.md``.

    python -m benchmarks.schedules

Two claims of the science behind this project, 5 and 6: at 10 epochs one-cycle beats a step schedule by 2 points or
more, and it reaches the accuracy of a tuned constant rate in half the steps or fewer. Every policy, and one-cycle at
every length, gets the same grid of rates on the same seeds; what is compared are fresh seeds at the best rate of each.
Cycles that ``schedules.csv`` already has are not trained again, so the command goes on where it was stopped. A claim
that fails is recorded as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.range_test.tasks import TASKS, cycle
from benchmarks.report import machine
from benchmarks.report import table as markdown
from benchmarks.rows import append
from benchmarks.rows import read as rows_of
from superconv_tune.problems.problem import Problem
from superconv_tune.verdict.comparison import length_to_reach
from superconv_tune.verdict.statistics import interval, over_seeds

HERE = Path(__file__).parent
TABLE, RESULT = HERE / "schedules.csv", HERE / "schedules.md"
COLUMNS = ("task", "schedule", "epochs", "max_lr", "seed", "status", "validation")
NAMES = ("mnist1d-mlp", "mnist1d-cnn", "mnist1d-bn")
BASELINES = ("step", "linear", "constant")
EPOCHS = 10.0  # of every baseline
LENGTHS = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0)  # of one-cycle
RATES = tuple(0.01 * 2.0**power for power in range(8))
TUNING, FRESH = range(3), range(100, 110)  # seeds that choose the rate, seeds that are compared
WORKERS = 2
RESAMPLES = 4000
LEAST_GAIN, LEAST_GAIN_LIMIT, LEAST_SPEED_UP = 2.0, 1.0, 2.0  # points, points, factor: the claims and their bounds
MOST_FAILURES = 1  # of the three models

Contestant = tuple[str, float]  # schedule and epochs
Job = tuple[str, str, float, float, tuple[int, ...]]
Rows = list[dict[str, str]]
Values = NDArray[np.float64]

POLICIES: tuple[Contestant, ...] = (*((name, EPOCHS) for name in BASELINES), *(("one_cycle", t) for t in LENGTHS))


@lru_cache(maxsize=1)
def _problem(name: str) -> Problem:
    return TASKS[name].problem("sgd")


def train(job: Job) -> list[tuple[object, ...]]:
    """All seeds of one task, policy, length and rate."""
    torch.set_num_threads(1)
    name, schedule, epochs, max_lr, seeds = job
    task, problem = TASKS[name], _problem(name)
    outcomes = [cycle(task, problem, epochs, max_lr, seed, schedule) for seed in seeds]
    return [(*job[:3], f"{max_lr:g}", s, o.status, o.objective) for s, o in zip(seeds, outcomes, strict=True)]


def read() -> Rows:
    """The cycles so far."""
    return rows_of(TABLE)


def run(jobs: Iterable[Job]) -> None:
    """Train what is missing."""
    done = {(row["task"], row["schedule"], float(row["epochs"]), float(row["max_lr"]), row["seed"]) for row in read()}
    missing = [job for job in jobs if (*job[:4], str(job[4][0])) not in done]
    with ProcessPoolExecutor(WORKERS) as pool:
        for job, rows in zip(missing, pool.map(train, missing), strict=True):
            append(TABLE, COLUMNS, rows)
            print(*job, flush=True)  # noqa: T201 - progress of a command


@dataclass(frozen=True)
class Tuned:
    """A policy at its best rate: accuracy in percent on the fresh seeds, in their order."""

    max_lr: float
    values: Values


def values(rows: Rows, name: str, policy: Contestant, max_lr: float, seeds: Sequence[int]) -> Values:
    """Accuracy in percent of the cycles at one rate, in the order of the seeds."""
    found = {
        int(row["seed"]): 100.0 * float(row["validation"])
        for row in rows
        if (row["task"], row["schedule"], float(row["epochs"]), float(row["max_lr"])) == (name, *policy, max_lr)
    }
    return np.array([found[seed] for seed in seeds])


def best_rate(rows: Rows, name: str, policy: Contestant) -> float:
    """The rate of the highest mean over the seeds that choose."""
    return max(RATES, key=lambda max_lr: float(values(rows, name, policy, max_lr, TUNING).mean()))


def speed_up(curve: Mapping[float, Values], baseline: Values) -> float:
    """The baseline's length over the one that one-cycle needs for the same mean accuracy.

    Where the shortest cycle is enough already, or the longest is not, the end of the curve bounds it.
    """
    needed = length_to_reach([(epochs, float(found.mean())) for epochs, found in curve.items()], float(baseline.mean()))
    return EPOCHS / (min(LENGTHS) if needed == 0.0 else needed if math.isfinite(needed) else max(LENGTHS))


def speed_up_interval(curve: Mapping[float, Values], baseline: Values) -> tuple[float, float]:
    """The 95 % interval from resampled seeds, drawn for all policies alike."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(baseline), size=(RESAMPLES, len(baseline)))
    found = [speed_up({t: v[draw] for t, v in curve.items()}, baseline[draw]) for draw in draws]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def gain(one_cycle: Values, other: Values) -> tuple[float, float, float]:
    """Mean of the paired differences in points, with Student's 95 % interval."""
    spread = over_seeds(list(one_cycle - other))
    return (spread.mean, *interval(spread, 0.95))


def report(tuned: Mapping[tuple[str, Contestant], Tuned]) -> str:
    """The recorded result, with what became of the two claims."""
    accuracies, comparisons = [], []
    failed_gain, failed_speed = [], []
    for name in NAMES:
        curve = {t: tuned[name, ("one_cycle", t)].values for t in LENGTHS}
        for policy in POLICIES:
            one = tuned[name, policy]
            accuracies.append((name, *policy, f"{one.max_lr:g}", one.values.mean(), one.values.std(ddof=1)))
        for other in BASELINES:
            baseline = tuned[name, (other, EPOCHS)].values
            mean, low, high = gain(curve[EPOCHS], baseline)
            factor, (least, most) = speed_up(curve, baseline), speed_up_interval(curve, baseline)
            comparisons.append((name, other, mean, f"{low:.2f} to {high:.2f}", factor, f"{least:.2f} to {most:.2f}"))
            if other == "step" and low < LEAST_GAIN_LIMIT:
                failed_gain.append(name)
            if other == "constant" and factor < LEAST_SPEED_UP:
                failed_speed.append(name)
    header = ("model", "against", "one-cycle at 10 epochs: points", "interval", "speed-up", "interval")
    columns = ("model", "policy", "epochs", "best rate", "accuracy, %", "deviation over seeds")
    return f"""# One-cycle against other policies at equal length

`python -m benchmarks.schedules` on {machine()}.
MNIST-1D, 4,050 training and 4,050 validation examples, batches of 100, SGD with Nesterov momentum (one-cycle 0.95 to
0.85 and back; the others 0.95 all the way). {len(RATES)} rates a factor of 2 apart for every policy and length,
chosen on {len(TUNING)} seeds; compared on {len(FRESH)} fresh ones. Intervals at 95 %: Student's on paired differences,
the bootstrap over seeds for the speed-up. The speed-up is {EPOCHS:g} epochs over the length at which one-cycle reaches
the same mean accuracy, by straight lines in log(epochs) between {min(LENGTHS):g} and {max(LENGTHS):g} epochs;
{EPOCHS / max(LENGTHS):.2f} stands for "not within {max(LENGTHS):g} epochs".

{markdown(header, comparisons)}

* Claim 5, at least {LEAST_GAIN:g} points above the step schedule (fails where the lower limit is below
  {LEAST_GAIN_LIMIT:g} on two of three models): {_fate(failed_gain)}
* Claim 6, the accuracy of a tuned constant rate in half the steps (fails where that is missed on two of three models):
  {_fate(failed_speed)}

## Accuracy of each policy at its best rate

{markdown(columns, accuracies)}
"""


def _fate(failed: Sequence[str]) -> str:
    if not failed:
        return "holds on all three."
    word = "FAILS" if len(failed) > MOST_FAILURES else "holds, though not"
    return f"{word} on {', '.join(failed)}."


def main() -> None:
    """Choose the rates, train the fresh seeds, write the result."""
    run((name, *policy, max_lr, tuple(TUNING)) for name in NAMES for policy in POLICIES for max_lr in RATES)
    rows = read()
    rates = {(name, policy): best_rate(rows, name, policy) for name in NAMES for policy in POLICIES}
    run((name, *policy, max_lr, tuple(FRESH)) for (name, policy), max_lr in rates.items())
    rows = read()
    tuned = {key: Tuned(max_lr, values(rows, *key, max_lr, FRESH)) for key, max_lr in rates.items()}
    RESULT.write_text(report(tuned), encoding="utf-8")


if __name__ == "__main__":
    main()
