"""What a careful person writes in one page: complete one-cycles of 1, 3 and 9 epochs, then fresh seeds to the end.

At each length the best peak so far runs beside what lies above it, until it is beaten from above (from below where the
lowest wins); then both workers train fresh seeds of the longest cycle that fits. Batches of 64, one-cycle, Nesterov
momentum between 0.85 and 0.95, weight decay 5e-4. Delivered: the mean of the fresh models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count

from benchmarks.peers.crew import Cycle, crew, cycle, time_left
from benchmarks.peers.training import WORKERS, Job, Recipe
from superconv_tune.core.hyperparameters import Hyperparameters

PARAMS = replace(Hyperparameters(), batch_size=64)
FIRST_RATES = (0.0125, 0.05, 0.2, 0.8)
NINE_SHARE = 0.4  # of the time left: the third bracket is left out if four of its cycles take more
SPARE = 0.97  # share of the time left that the fresh seeds are planned for
END_S = 2.0  # kept for the last evaluation
WAVES = 2  # of fresh seeds; the second is fitted to what the first left

Compare = Callable[[Sequence[float]], Mapping[float, float]]


def run(job: Job) -> None:
    """Brackets, then fresh seeds."""
    with crew(job) as workers:
        ladder = Ladder(job, workers, count(job.seed))
        best = bracket(ladder.compare(1), FIRST_RATES, most=6)
        best = bracket(ladder.compare(3), (best, 2 * best), most=5)
        if 9 * 4 * ladder.unit_s[-1] / WORKERS < NINE_SHARE * time_left(job):
            best = bracket(ladder.compare(9), (best, 2 * best), most=3)
        for wave in range(WAVES):
            units = SPARE * (time_left(job) - END_S) / (WAVES - wave) / max(ladder.unit_s[-WORKERS:])
            if units > 0.0:
                ladder.train([best] * WORKERS, units, is_fresh=True)


def bracket(compare: Compare, rates: Sequence[float], most: int) -> float:
    """The best rate, beaten from above, or from below if it is the lowest; after at most so many rates."""
    found: dict[float, float] = {}
    while rates:
        found |= compare(rates)
        best = max(found, key=lambda rate: found[rate])
        beyond = [2 * best] if best == max(found) else [best / 2] if best == min(found) else []
        rates = beyond if len(found) < most else []
    return best


@dataclass
class Ladder:
    """Cycles on the workers, and how long they took.

    Attributes:
        job: what was asked.
        workers: who trains.
        seeds: of the cycles, each another.
        unit_s: seconds of one unit of length, of every cycle so far.
    """

    job: Job
    workers: ProcessPoolExecutor
    seeds: Iterator[int]
    unit_s: list[float] = field(default_factory=list)

    def compare(self, units: float) -> Compare:
        """A function from rates to the validation accuracy of a cycle of that length."""
        return lambda rates: {trained.recipe.max_lr: trained.validation for trained in self.train(rates, units)}

    def train(self, rates: Sequence[float], units: float, *, is_fresh: bool = False) -> list[Cycle]:
        """One cycle per rate, all with seeds of their own."""
        params = replace(PARAMS, cycle_epochs=units * self.job.unit_epochs)
        recipes = [Recipe(params, rate, next(self.seeds)) for rate in rates]
        trained = list(self.workers.map(cycle, recipes, [is_fresh] * len(recipes)))
        self.unit_s += [each.seconds / units for each in trained]
        return trained
