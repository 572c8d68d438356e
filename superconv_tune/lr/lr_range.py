"""The learning-rate range test: estimate the peak of a cycle from a ramp of the learning rate.

The test is Smith's (2017, arXiv:1506.01186, section 3.3). The analysis is ours, and each part avoids a known failure:

* a two-sided smoothing kernel, because a causal mean lags: on a ramp of a hundred steps it moves the steepest point
  four-fold and the minimum more than twenty-fold;
* an end where the loss gives back its improvement, because a dead ReLU network returns to ln C and not to infinity;
* a minimum in the middle of all rates whose loss is within the noise of the lowest, because the bottom is flat;
* a refusal instead of a number where the curve is not informative.

The result does not change if the losses are multiplied by a constant, nor with what follows the end of the ramp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.curve import Column, Curve
from superconv_tune.core.words import percent

Quality = Literal["good", "fair", "poor", "none"]
Ramp = Literal["exponential", "linear"]

# The range that a first ramp crosses (science: 1e-6..10 for SGD, 1e-7..1 for Adam-like optimizers).
RAMP_INTERVALS: Mapping[str, tuple[float, float]] = {"sgd": (1e-6, 10.0), "adamw": (1e-7, 1.0)}
RAMP_INTERVAL_ELSE = (1e-7, 10.0)

HALF_LIFE_SHARE = 0.02  # half-life of the smoothing, as a share of the ramp (science 2.3)
MIN_HALF_LIFE = 2.0  # steps; a shorter half-life hardly smooths
WORKING_RANGE = 1000.0  # ratio of rates: half-lives are counted over the ramp's last three decades, wherever it began
OPENING = 10  # first steps, whose median loss is the loss before training
MIN_POINTS = 20  # with fewer, smoothing would leave no shape
STOP_FACTOR = 4.0  # ratio of the smoothed loss to its best at which a ramp stops, as in fastai
GIVEN_BACK = 0.9  # share of the improvement: the network is dead or diverged, and the rest of the ramp is useless
STOP_PATIENCE = 5  # consecutive steps
EDGE_GIVE_BACK = 0.25  # share of the improvement: a rate that loses more is too large to keep what was learned
# Standard errors that a fall or a rise must exceed; the lowest of many noisy means alone is two lower.
NOISE_FACTOR = 4.0
PICK_DIVISOR = 2.0  # half of the rate at the minimum: the best fixed rule in our measurements (science 2.1)
BAND_DIVISOR = 10.0  # the mission's rule: the band begins at a tenth of the rate at the minimum
SPREAD_GOOD, SPREAD_FAIR = 0.5, 1.0  # octaves of uncertainty about the minimum
# Octaves by which the minimum may move when the ramp is twice as fast. Over 54 range tests of ten tasks it moved by
# 0.69 on average (standard deviation 0.42), and the movement did not predict the error of the pick (rank correlation
# 0.06): only more than one or three deviations above the average lowers the quality.
SPEED_GOOD, SPEED_FAIR = 1.1, 2.0
# Where to search for a better peak, as multiples of the pick (science 2.3); wide where the ramp cannot be trusted.
PRIOR_FACTORS: Mapping[Quality, tuple[float, float]] = {
    "good": (1 / 8, 2.0),
    "fair": (1 / 16, 4.0),
    "poor": (1 / 64, 16.0),
    "none": (1 / 64, 16.0),
}


class Refusal(StrEnum):
    """Why a range test gives no learning rate; `RangeTestResult.refusal` holds one of these."""

    TOO_SHORT = f"The ramp has fewer than {MIN_POINTS} steps, too few to be read."
    NOT_FINITE = f"The loss was not finite within the first {MIN_POINTS} steps of the ramp."
    NO_DESCENT = "The loss only rose: no learning rate of the ramp makes it fall."
    FLAT = "The loss did not fall beyond its noise at any learning rate of the ramp."


@dataclass(frozen=True)
class RangeTestResult:
    """The result of one or several ramps.

    Attributes:
        lr_at_minimum: learning rate of the lowest smoothed loss.
        edge: largest learning rate before the loss gives back a quarter of its improvement; the last one of the ramp
            if it never does (the quality is then not ``good``).
        max_lr: the robust pick for a short cycle, ``lr_at_minimum / 2``.
        min_lr: ``lr_at_minimum / 10``, the lower end of the band.
        quality: how far the numbers can be trusted. ``fair``: no edge was seen, or the minimum is uncertain by half an
            octave. ``poor``: it may lie outside the ramp, or is uncertain by an octave. ``none``: a refusal.
        spread_log2: standard deviation over replicates of log2(lr_at_minimum); 0 for a single ramp.
        steps: number of optimizer steps used.
        speed_log2: octaves by which the minimum moved in a ramp twice as fast; 0 where there was none, or no result.
        refusal: why there is no result, one of `Refusal`, and then all rates are 0; None if there is a result.
    """

    lr_at_minimum: float
    edge: float
    max_lr: float
    min_lr: float
    quality: Quality
    spread_log2: float
    steps: int
    refusal: str | None = None
    speed_log2: float = 0.0

    @property
    def prior(self) -> tuple[float, float]:
        """Bounds of the search for a better peak, as factors on the pick; wider where the ramps can be trusted less."""
        return PRIOR_FACTORS[self.quality]


def exponential_ramp(low: float, high: float, steps: int) -> Column:
    """Rates in geometric progression, both ends included: every decade gets the same number of steps."""
    return np.geomspace(low, high, steps)


def linear_ramp(low: float, high: float, steps: int) -> Column:
    """Rates in arithmetic progression, both ends included, as in Smith's paper."""
    return np.linspace(low, high, steps)


RAMPS: dict[Ramp, Callable[[float, float, int], Column]] = {"exponential": exponential_ramp, "linear": linear_ramp}


def smooth(losses: Column, half_life: float) -> Column:
    """A two-sided exponential mean, which does not lag; bias-corrected at both ends.

    ``s_k = sum_j w_kj x_j / sum_j w_kj`` with ``w_kj = 0.5^(|k - j| / half_life)``, over the steps j that exist.

    Args:
        losses: finite values, one per step.
        half_life: half-life of the weights in steps, positive.
    """
    decay = 0.5 ** (1.0 / half_life)
    return _both_ways(losses, decay) / _both_ways(np.ones_like(losses), decay)


def running_mean(losses: Column, decay: float) -> Column:
    """The bias-corrected exponential mean of the losses up to each step; it lags by its half-life."""
    return _decayed_sum(losses, decay) / _decayed_sum(np.ones_like(losses), decay)


def stop_reason(losses: Column, ramp_steps: int) -> str | None:
    """Why a ramp should end after these losses; None if it should continue.

    Args:
        losses: all losses of the ramp so far, in order.
        ramp_steps: planned length of the ramp.
    """
    end = _find_end(losses, max(MIN_HALF_LIFE, HALF_LIFE_SHARE * ramp_steps))
    return None if end is None else end.reason


def analyse(curves: Sequence[Curve], smoothing: float = HALF_LIFE_SHARE) -> RangeTestResult:
    """Analyse the ramps of one question; several are replicates that differ by seed.

    Args:
        curves: one unsmoothed ramp each, of rising learning rates, from its start to where it stopped.
        smoothing: half-life of the smoothing, as a share of the ramp's working range.
    """
    return pool([_analyse_one(curve, smoothing) for curve in curves])


def smoothed(curve: Curve, smoothing: float = HALF_LIFE_SHARE) -> Column:
    """The losses of a ramp, all of them finite, smoothed as in `analyse`."""
    return smooth(curve.loss, _half_life(curve.lr, smoothing))


def split_ramps(curve: Curve) -> list[Curve]:
    """Split a curve of several ramps into single ones, wherever the learning rate falls."""
    if len(curve) == 0:
        return []
    starts = np.flatnonzero(np.diff(curve.lr) < 0) + 1
    return [curve.take(rows) for rows in np.split(np.arange(len(curve)), starts)]


def compared(result: RangeTestResult, twice_as_fast: RangeTestResult) -> RangeTestResult:
    """The result, with its quality lowered where the minimum moved in a ramp of half the steps.

    If the faster ramp has no result, the quality is fair at best.
    """
    if result.refusal is not None:
        return result
    steps = result.steps + twice_as_fast.steps
    if twice_as_fast.refusal is not None:
        return replace(result, quality=_worse(result.quality, "fair"), steps=steps)
    moved = abs(math.log2(result.lr_at_minimum / twice_as_fast.lr_at_minimum))
    allowed = _by_octaves(moved, SPEED_GOOD, SPEED_FAIR)
    return replace(result, quality=_worse(result.quality, allowed), steps=steps, speed_log2=moved)


def pool(results: Sequence[RangeTestResult]) -> RangeTestResult:
    """Combine replicates: medians of the logarithms, and their spread.

    The result is a refusal if at least half of the replicates are. The quality is the median quality, or the one that
    the spread allows if that is worse.
    """
    if not results:
        return _refused(Refusal.TOO_SHORT, 0)
    steps = sum(result.steps for result in results)
    useful = [result for result in results if result.refusal is None]
    if 2 * len(useful) <= len(results):
        return _refused(next(result.refusal for result in results if result.refusal is not None), steps)
    minima = np.log2([result.lr_at_minimum for result in useful])
    edge = float(2.0 ** np.median(np.log2([result.edge for result in useful])))
    spread = float(minima.std(ddof=1)) if len(useful) > 1 else 0.0
    typical = sorted((result.quality for result in useful), key=_RANK.index)[len(useful) // 2]
    quality = _worse(typical, _by_octaves(spread))
    speed = float(np.median([result.speed_log2 for result in useful]))
    return replace(_result(float(2.0 ** np.median(minima)), edge, quality, spread, steps), speed_log2=speed)


_RANK: tuple[Quality, ...] = ("good", "fair", "poor", "none")


@dataclass(frozen=True)
class _End:
    """Where a ramp should have ended; its first ``count`` losses, all finite, are analysed."""

    count: int
    reason: str


def _find_end(losses: Column, half_life: float) -> _End | None:
    """The first point at which the losses so far say that the ramp should end.

    With the running mean s, its best so far and the loss L0 of the opening, a ramp ends where for five steps in a row

        s - best >= 0.9 (L0 - best)      or      s > 4 best > 0  and  s - best >= 0.25 (L0 - best),

    both beyond the noise, or where the loss is not finite. The last condition keeps a loss that fell to almost zero
    from ending the ramp at four times almost zero, before the edge.
    """
    finite = np.isfinite(losses)
    count = len(losses) if finite.all() else int(np.argmin(finite))
    end = _End(count, "the loss is not finite") if count < len(losses) else None
    if count < MIN_POINTS:
        return end
    decay = 0.5 ** (1.0 / half_life)
    start = float(np.median(losses[:OPENING]))
    means = running_mean(losses[:count], decay)[OPENING:]
    best = np.minimum.accumulate(means)
    # The noise is measured up to the best mean, because after it the divergence itself would count as noise.
    at_best = OPENING + np.maximum.accumulate(np.where(means == best, np.arange(len(means)), 0))
    noise = _noise_so_far(losses[:count])[np.maximum(at_best, MIN_POINTS - 1)]
    sure = NOISE_FACTOR * noise * _from_opening(math.sqrt((1.0 - decay) / (1.0 + decay)))
    improved, lost = start - best, means - best
    gone = (improved > sure) & (lost >= GIVEN_BACK * improved)
    exploded = (best > 0) & (means > STOP_FACTOR * best) & (lost > sure) & (lost >= EDGE_GIVE_BACK * improved)
    sign = _first_run(gone | exploded)
    if sign is None:
        return end
    what = (
        f"gave back {percent(GIVEN_BACK)} of its improvement"
        if gone[sign]
        else f"rose over {STOP_FACTOR:g} times its best"
    )
    return _End(OPENING + sign + 1, f"the loss {what}")


def _first_run(signs: NDArray[np.bool_]) -> int | None:
    """Index of the last of the first `STOP_PATIENCE` consecutive signs; None if there are not as many."""
    runs = np.convolve(signs, np.ones(STOP_PATIENCE, dtype=np.intp), mode="valid") == STOP_PATIENCE
    return int(np.argmax(runs)) + STOP_PATIENCE - 1 if runs.any() else None


def _analyse_one(curve: Curve, smoothing: float) -> RangeTestResult:
    half_life = _half_life(curve.lr, smoothing)
    end = _find_end(curve.loss, half_life)
    count = len(curve) if end is None else end.count
    if count < MIN_POINTS:
        return _refused(Refusal.TOO_SHORT if end is None else Refusal.NOT_FINITE, len(curve))
    losses = _capped(curve.loss[:count])
    smoothed = smooth(losses, half_life)
    lowest = OPENING + int(np.argmin(smoothed[OPENING:]))
    improved = float(np.median(losses[:OPENING])) - float(smoothed[lowest])
    noise, kernel = float(_noise_so_far(losses)[lowest]), _kernel_error(half_life)
    if improved <= NOISE_FACTOR * noise * _from_opening(kernel):
        return _refused(_without_fall(curve.loss[:count]), len(curve))
    edge = _edge(smoothed, lowest, max(EDGE_GIVE_BACK * improved, NOISE_FACTOR * noise * kernel))
    bottom = _bottom(losses[: edge + 1], half_life, noise * kernel)
    saw_edge = end is not None or edge < count - 1
    octaves = np.log2(curve.lr[bottom])
    return _result(
        lr_at_minimum=float(2.0 ** octaves.mean()),
        edge=float(curve.lr[edge]),
        quality=_worse(
            _by_place(bottom, edge, saw_edge=saw_edge), _by_octaves(float(np.ptp(octaves)) / math.sqrt(12.0))
        ),
        spread=0.0,
        steps=len(curve),
    )


def _capped(losses: Column) -> Column:
    """Cap the losses: as far above the opening as the lowest loss is below it.

    How far a loss is above the opening carries no information, and one huge loss must not outweigh the rest.
    """
    return np.minimum(losses, 2.0 * float(np.median(losses[:OPENING])) - float(losses.min()))


def _without_fall(losses: Column) -> Refusal:
    """Why a curve without a fall is refused: flat, unless the median of its end is clearly above that of its start."""
    rise = float(np.median(losses[-OPENING:]) - np.median(losses[:OPENING]))
    noise = float(_noise_so_far(losses)[MIN_POINTS - 1])
    return Refusal.NO_DESCENT if rise > NOISE_FACTOR * noise * math.sqrt(math.pi / OPENING) else Refusal.FLAT


def _by_place(bottom: NDArray[np.intp], edge: int, *, saw_edge: bool) -> Quality:
    """Quality by the place of the minimum: poor if it may lie outside the ramp, fair if the ramp saw no edge."""
    if bottom[0] == OPENING or (bottom[-1] == edge and not saw_edge):
        return "poor"
    return "good" if saw_edge else "fair"


def _edge(smoothed: Column, lowest: int, allowed: float) -> int:
    """Index of the last rate, from the minimum on, before the loss rises by more than ``allowed``."""
    lost = smoothed[lowest:] > smoothed[lowest] + allowed
    return lowest + (int(np.argmax(lost)) - 1 if lost.any() else len(lost) - 1)


def _bottom(losses: Column, half_life: float, error: float) -> NDArray[np.intp]:
    """Indices whose smoothed loss is within one standard error of the lowest.

    The caller leaves out what follows the edge, because smoothing would smear a cliff there over the minimum.
    """
    smoothed = smooth(losses, half_life)[OPENING:]
    return OPENING + np.flatnonzero(smoothed <= smoothed.min() + error)


def _half_life(rates: Column, share: float) -> float:
    """Half-life in steps, a share of those in the last three decades, wherever the ramp began."""
    steps = np.count_nonzero(rates * WORKING_RANGE >= rates.max(initial=0.0))
    return max(MIN_HALF_LIFE, share * steps)


def _noise_so_far(losses: Column) -> Column:
    """Standard deviation of one loss around its trend, estimated from the losses up to each step (at least three).

    It uses second differences, which a straight trend does not affect: for independent normal losses the mean of their
    absolute values is ``sqrt(6) sqrt(2 / pi)`` standard deviations.
    """
    bends = np.abs(np.diff(losses, 2))
    so_far = np.cumsum(bends) / np.arange(1, len(bends) + 1) / math.sqrt(12.0 / math.pi)
    return np.concatenate([so_far[:1], so_far[:1], so_far])


def _kernel_error(half_life: float) -> float:
    """Standard error of `smooth`, away from the ends, for losses of standard deviation 1: ``|w|_2 / |w|_1``."""
    b = 0.5 ** (1.0 / half_life)
    return math.sqrt((1.0 + b * b) * (1.0 - b) / (1.0 + b) ** 3)


def _from_opening(of_mean: float) -> float:
    """Standard error of the difference of a mean and the opening's median, whose variance is pi/2 that of a mean."""
    return math.hypot(of_mean, math.sqrt(math.pi / 2.0 / OPENING))


def _by_octaves(octaves: float, good: float = SPREAD_GOOD, fair: float = SPREAD_FAIR) -> Quality:
    return "good" if octaves < good else "fair" if octaves < fair else "poor"


def _worse(a: Quality, b: Quality) -> Quality:
    return max(a, b, key=_RANK.index)


def _result(lr_at_minimum: float, edge: float, quality: Quality, spread: float, steps: int) -> RangeTestResult:
    return RangeTestResult(
        lr_at_minimum,
        edge,
        max_lr=lr_at_minimum / PICK_DIVISOR,
        min_lr=lr_at_minimum / BAND_DIVISOR,
        quality=quality,
        spread_log2=spread,
        steps=steps,
    )


def _refused(reason: str, steps: int) -> RangeTestResult:
    return RangeTestResult(0.0, 0.0, 0.0, 0.0, "none", 0.0, steps, reason)


def _both_ways(values: Column, decay: float) -> Column:
    return _decayed_sum(values, decay) + _decayed_sum(values[::-1], decay)[::-1] - values


def _decayed_sum(values: Column, decay: float) -> Column:
    """``y_k = x_k + decay * y_{k-1}``."""
    sums = accumulate(values.tolist(), lambda total, value: value + decay * total)
    return np.fromiter(sums, dtype=np.float64, count=len(values))
