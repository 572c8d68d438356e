"""Detects from the training loss alone that a cycle has diverged."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from superconv_tune.record.trial import Status

HALF_LIFE_SHARE = 0.02  # of the cycle, as for the range test
MIN_HALF_LIFE = 5.0  # steps
OPENING = 5  # steps whose mean is the first loss L0; more would already see the descent
GRACE_SHARE = 0.1  # of the cycle, in which nothing is judged
GIVE_BACK = 0.9  # share of the improvement that, once lost, counts as all of it
SUSTAIN_SHARE = 0.02  # of the cycle: how long the give-back must last
MIN_SUSTAIN = 10  # steps in a row that it must last at least
EXPLODED = 4.0  # times the best loss, as in fastai,
EXPLODED_STEPS = 50  # for this many steps in a row,
EXPLODED_GIVE_BACK = 0.75  # and this share of the improvement lost: 4 times almost nothing is almost nothing
CHANCE_SHARE = 0.5  # of the improvement from L0 that must lie below the chance loss, for that to replace L0
NOISE_FACTOR = 8.0  # standard deviations of the smoothed loss; a smaller rise may be noise

ROUNDING = 1e-9  # of the first loss; smaller differences are rounding errors

Stop = tuple[Status, str]
Rule = Literal["give-back", "exploded"]


class DivergenceWatch:
    """Judges a cycle's losses as they come.

    The loss s is smoothed by a bias-corrected exponential mean with a half-life of 2 % of the cycle. After the first
    tenth, the cycle has diverged when s stays for 2 % of it within a tenth of the improvement from the first loss L0,
    or when it stays for 50 steps above four times its best:

        s >= L0 - 0.1 * (L0 - best)      or      s > 4 * best > 0

    A dead ReLU network returns to ln C and not to infinity. A fresh model may begin far above that, so the chance loss
    replaces L0 where it is known and lower. Both rules also require that the rise s - best is larger than noise can
    make it, with the noise estimated from successive differences. A high learning rate may raise a small loss many
    times over and still anneal well, so the second rule also requires that three quarters of the improvement are lost.

    Args:
        cycle_steps: number of steps in the whole cycle.
        chance_loss: loss of a model whose outputs are the same for every input; infinity if it is not known.
    """

    def __init__(self, cycle_steps: int, chance_loss: float = math.inf) -> None:
        self._chance = chance_loss
        half_life = max(MIN_HALF_LIFE, HALF_LIFE_SHARE * cycle_steps)
        self._decay = 0.5 ** (1.0 / half_life)
        self._grace = GRACE_SHARE * cycle_steps
        self._needed: dict[Rule, int] = {
            "give-back": max(MIN_SUSTAIN, round(SUSTAIN_SHARE * cycle_steps)),
            "exploded": EXPLODED_STEPS,
        }
        self._lasted: dict[Rule, int] = {"give-back": 0, "exploded": 0}
        self._steps = 0
        self._first = 0.0  # mean of the opening, L0
        self._mean = 0.0
        self._square = 0.0  # of successive differences, smoothed; half of it is the variance of one loss
        self._last = math.nan
        self._best = math.inf

    def judge(self, losses: NDArray[np.float64]) -> Stop | None:
        """Take the next losses of the cycle, in order; returns why the cycle has to stop, or None."""
        for loss in losses.tolist():
            stop = self._take(loss)
            if stop is not None:
                return stop
        return None

    def _take(self, loss: float) -> Stop | None:
        if not math.isfinite(loss):
            return self._non_finite(loss)
        smooth = self._smooth(loss)
        if self._steps <= OPENING:
            self._first += (loss - self._first) / self._steps
            return None
        self._best = min(self._best, smooth)
        if self._steps <= self._grace:
            return None
        for rule, holds in self._signs(smooth).items():
            self._lasted[rule] = self._lasted[rule] + 1 if holds else 0
            if self._lasted[rule] >= self._needed[rule]:
                return "diverged", self._sentence(rule, smooth)
        return None

    def _smooth(self, loss: float) -> float:
        if self._steps:
            self._square += (1.0 - self._decay) * ((loss - self._last) ** 2 - self._square)
        self._mean += (1.0 - self._decay) * (loss - self._mean)
        self._last = loss
        self._steps += 1
        return self._mean / (1.0 - math.pow(self._decay, self._steps))

    def _signs(self, smooth: float) -> dict[Rule, bool]:
        improvement = self._reference() - self._best
        lost = smooth - self._best
        is_real = lost > NOISE_FACTOR * self._noise() + ROUNDING * abs(self._first)
        return {
            "give-back": is_real and lost >= GIVE_BACK * improvement,
            "exploded": is_real and 0.0 < EXPLODED * self._best < smooth and lost >= EXPLODED_GIVE_BACK * improvement,
        }

    def _reference(self) -> float:
        """Loss of an untrained model: L0, or the chance loss where that is lower and informative."""
        is_informative = self._chance - self._best >= CHANCE_SHARE * (self._first - self._best)
        return min(self._first, self._chance) if is_informative else self._first

    def _noise(self) -> float:
        """Standard deviation of the smoothed loss, from that of one loss: factor sqrt((1 - b) / (1 + b))."""
        variance = 0.5 * self._square / (1.0 - self._decay ** (self._steps - 1))
        return math.sqrt(variance * (1.0 - self._decay) / (1.0 + self._decay))

    def _non_finite(self, loss: float) -> Stop:
        """Infinity, or NaN after a rise, is divergence; NaN without a rise is a fault of the model or the loss."""
        where = f"at step {self._steps} of the cycle"
        if math.isinf(loss) or self._last > EXPLODED * abs(self._first):
            return "diverged", f"The training loss overflowed {where}; the learning rate is too high."
        return "nan", f"The training loss was not a number {where}, without a rise before it."

    def _sentence(self, rule: Rule, smooth: float) -> str:
        meaning = "gave its improvement back" if rule == "give-back" else "rose beyond four times its best"
        return (
            f"The training loss {meaning}: smoothed {smooth:.4g} at step {self._steps - 1}, "
            f"at first {self._reference():.4g}, best {self._best:.4g}."
        )
