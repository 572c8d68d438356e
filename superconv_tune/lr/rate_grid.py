"""Probes: complete short cycles over a grid of peak learning rates.

A ramp uses each rate only briefly; a probe trains a whole cycle at it. So the ramp only decides where the grid begins.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from superconv_tune.lr.lr_range import EDGE_GIVE_BACK

GRID_FACTOR = 2.0  # between neighbours of the grid
FIRST_POWERS = (0, 1, -1, 2)  # in the order of asking; more above than below, because ramps are shorter than cycles
RAMP_VOTE = 0.25  # weight, in the logarithm, of the ramp's minimum against the best rate of the probes
FARTHEST_VOTE = 1.0  # octaves from the best rate, to which a more distant minimum is clamped
MOST_WIDENINGS = 5  # steps beyond the border where the best lies: a factor of 32
# Centre of the first grid if the ramp gave no result.
FALLBACK_LR: Mapping[str, float] = {"sgd": 0.05, "adamw": 1e-3}
FALLBACK_LR_ELSE = 1e-2
# Rates for pretrained weights over those for random ones, in the first ramp and grid: customary for fine-tuning.
PRETRAINED = 0.1


def first_grid(centre: float) -> list[float]:
    """The rates to probe first, in the order of asking."""
    return [centre * GRID_FACTOR**power for power in FIRST_POWERS]


def next_rates(centre: float, asked: Collection[float], grid: ProbeGrid | None) -> list[float]:
    """The rates to probe next: those missing of the first grid, then one beyond the border where the best lies.

    Args:
        centre: centre of the first grid.
        asked: rates that were asked for, whether or not their probes have finished.
        grid: results of the probes so far; None while the grid should not be widened.

    Returns:
        The rates; empty once the best is inside the grid, or after `MOST_WIDENINGS` steps beyond the first one.
    """
    first = first_grid(centre)
    missing = [rate for rate in first if rate not in asked]
    if missing or grid is None or len(asked) >= len(first) + MOST_WIDENINGS:
        return missing
    rate = grid.beyond()
    if rate is None:
        return []
    step = GRID_FACTOR if rate > grid.rates[-1] else 1.0 / GRID_FACTOR
    while any(math.isclose(rate, taken) for taken in asked):
        rate *= step
    return [rate]


@dataclass(frozen=True)
class ProbeGrid:
    """Results of probes of one length.

    Attributes:
        rates: peak learning rates in ascending order, in steps of `GRID_FACTOR`.
        worth: result of each rate, higher is better; minus infinity where a cycle diverged.
        untrained: worth of a model that learned nothing; None if unknown.
    """

    rates: tuple[float, ...]
    worth: tuple[float, ...]
    untrained: float | None = None

    @staticmethod
    def of(
        probes: Iterable[tuple[float, float]], *, higher_is_better: bool, untrained: float | None = None
    ) -> ProbeGrid:
        """The grid from (rate, score) pairs; scores of the same rate are averaged.

        A score that is not finite stands for a divergence, which is worse than any score; a rate at which one seed
        diverged counts as diverged, whatever the others reached.

        Args:
            probes: the pairs, in any order.
            higher_is_better: whether a higher score is better.
            untrained: score of a model that learned nothing.
        """
        sign = 1.0 if higher_is_better else -1.0
        by_rate: dict[float, list[float]] = {}
        for rate, score in probes:
            by_rate.setdefault(rate, []).append(sign * score if math.isfinite(score) else -math.inf)
        rates = tuple(sorted(by_rate))
        worth = tuple(float(np.mean(by_rate[rate])) for rate in rates)
        return ProbeGrid(rates, worth, None if untrained is None else sign * untrained)

    def beyond(self) -> float | None:
        """The next rate to probe: one step beyond the border where the best lies, None if the best is inside."""
        top = self._top
        if not math.isfinite(self.worth[top]) or top == 0:
            return self.rates[0] / GRID_FACTOR  # all diverged, or the lowest is the best
        return self.rates[-1] * GRID_FACTOR if top == len(self.rates) - 1 else None

    def pick(self, ramp_minimum: float | None) -> float:
        """The peak for cycles of the probes' length: `best_lr`, moved a quarter of the way to the minimum of the ramps.

        The two err for different reasons: short cycles of few seeds are noisy, and a ramp uses each rate only briefly.

        Args:
            ramp_minimum: learning rate of the ramps' lowest loss; None if they gave no result.
        """
        best = self.best_lr()
        if ramp_minimum is None:
            return best
        octaves = math.log2(ramp_minimum / best)
        return best * math.exp2(RAMP_VOTE * min(max(octaves, -FARTHEST_VOTE), FARTHEST_VOTE))

    def best_lr(self) -> float:
        """The top of the parabola in log(lr) through the best rate and its neighbours.

        The parabola makes the pick robust against the noise of single runs; it stays within half a step of the best
        rate. Where the next larger rate lies beyond the edge, the pick is half a step below the best one, because so
        close to the edge other seeds and longer cycles would diverge.
        """
        top = self._top
        if not 0 < top < len(self.rates) - 1:
            return self.rates[top]
        left, middle, right = self.worth[top - 1 : top + 2]
        if self._lost(right) > EDGE_GIVE_BACK:
            return math.sqrt(self.rates[top - 1] * self.rates[top])
        if not math.isfinite(left):
            return self.rates[top]
        curvature = left - 2.0 * middle + right
        shift = 0.5 * (left - right) / curvature if curvature < 0.0 else 0.0
        step = math.log(self.rates[top + 1] / self.rates[top])
        return float(self.rates[top] * math.exp(min(max(shift, -0.5), 0.5) * step))

    def edge(self) -> float:
        """The largest rate, from the best one on, before a quarter of the improvement is lost; else the last one."""
        top = self._top
        lost = (i for i in range(top + 1, len(self.rates)) if self._lost(self.worth[i]) > EDGE_GIVE_BACK)
        return self.rates[next(lost, len(self.rates)) - 1]

    def _lost(self, worth: float) -> float:
        """Share of the best rate's improvement that is lost; 1 for a divergence, else 0 if ``untrained`` is unknown."""
        if not math.isfinite(worth):
            return 1.0
        learned = self.worth[self._top] - self.untrained if self.untrained is not None else 0.0
        return (self.worth[self._top] - worth) / learned if learned > 0.0 else 0.0

    @property
    def _top(self) -> int:
        return int(np.argmax(self.worth))
