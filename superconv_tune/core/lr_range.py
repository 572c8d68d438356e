"""The learning-rate range test: what a ramp of the learning rate says about the peak of a cycle.

The test is Smith's (2017, arXiv:1506.01186, section 3.3). The reading is ours: a zero-lag smoother (a causal mean moves
the steepest point of a hundred-point ramp four-fold), a stop by give-back (a dead ReLU network returns to ln C and not
to infinity), and a typed refusal where the curve says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.curve import Column, Curve

Quality = Literal["good", "fair", "poor", "none"]

HALF_LIFE_SHARE = 0.02  # of the ramp: half-life of the smoothing (science 2.3)
SKIP_SHARE = 0.05  # of the ramp: its first steps are the start of training, not an answer to the learning rate
MIN_POINTS = 20  # fewer cannot be smoothed and still have a shape
STOP_FACTOR = 4.0  # smoothed loss over the best one, as fastai stops
GIVEN_BACK = 0.9  # of the improvement: the network is dead or diverged, and more of the ramp tells nothing
STOP_PATIENCE = 5  # steps in a row
EDGE_GIVE_BACK = 0.25  # of the improvement: beyond here the rate is too large to keep what was learned
NOISE_FACTOR = 3.0  # an improvement must stand out of the noise by this much to be one
PICK_DIVISOR = 2.0  # half of the minimum's rate: the best fixed rule that was measured (science 2.1)
BAND_DIVISOR = 10.0  # the mission's rule: a tenth of the minimum's rate is the bottom of the band
SPREAD_GOOD, SPREAD_FAIR = 0.5, 1.0  # octaves between replicates


@dataclass(frozen=True)
class RangeTestResult:
    """What one or several ramps say.

    Attributes:
        lr_at_minimum: learning rate of the lowest smoothed loss.
        edge: largest learning rate before the curve gives its improvement back.
        max_lr: the robust pick for a short cycle, ``lr_at_minimum / 2``.
        min_lr: ``lr_at_minimum / 10``, the lower end of the band.
        quality: how far the number can be trusted; ``none`` goes with a refusal.
        spread_log2: standard deviation over replicates of log2(lr_at_minimum); 0 for a single ramp.
        steps: optimizer steps that were spent.
        refusal: why the curve says nothing; None if it says something. The rates are 0 then.
    """

    lr_at_minimum: float
    edge: float
    max_lr: float
    min_lr: float
    quality: Quality
    spread_log2: float
    steps: int
    refusal: str | None = None


def exponential_ramp(low: float, high: float, steps: int) -> Column:
    """Rates in geometric progression, both ends included: every decade gets the same number of steps."""
    return np.geomspace(low, high, steps)


def linear_ramp(low: float, high: float, steps: int) -> Column:
    """Rates in arithmetic progression, both ends included, as in Smith's paper."""
    return np.linspace(low, high, steps)


RAMPS: dict[str, Callable[[float, float, int], Column]] = {"exponential": exponential_ramp, "linear": linear_ramp}


def smooth(losses: Column, half_life: float) -> Column:
    """A bias-corrected exponential mean run forward and backward, so that it does not lag.

    Each run is ``m_k = b m_{k-1} + (1 - b) x_k`` over ``1 - b^{k+1}`` with ``b = 0.5^(1 / half_life)``; the result is the
    mean of both runs. Non-finite losses are expected to have been cut off.
    """
    decay = 0.5 ** (1.0 / max(half_life, 1e-9))
    return (_mean_so_far(losses, decay) + _mean_so_far(losses[::-1], decay)[::-1]) / 2.0


def stop_reason(losses: Column, ramp_steps: int) -> str | None:
    """Why a ramp should end after these losses; None to go on. Looks back only, as a running ramp must."""
    if len(losses) and not np.isfinite(losses).all():
        return "the loss is not finite"
    if len(losses) < MIN_POINTS:
        return None
    decay = 0.5 ** (1.0 / max(1.0, HALF_LIFE_SHARE * ramp_steps))
    means = _mean_so_far(losses, decay)
    best = float(means.min())
    recent = means[-STOP_PATIENCE:]
    if (recent > STOP_FACTOR * max(best, 0.0) + _noise(losses)).all() and best > 0.0:
        return f"the loss is over {STOP_FACTOR:g} times its best"
    start = float(np.median(losses[: max(3, len(losses) // 20)]))
    improved = start - best
    if improved > NOISE_FACTOR * _noise(losses) and (recent >= start - (1.0 - GIVEN_BACK) * improved).all():
        return f"the loss has given back {GIVEN_BACK:.0%} of its improvement"
    return None


def analyse(curves: Sequence[Curve]) -> RangeTestResult:
    """What the ramps of one question say; several are replicates that differ by seed."""
    return pool([_analyse_one(curve) for curve in curves])


def pool(results: Sequence[RangeTestResult]) -> RangeTestResult:
    """Replicates as one: medians of the logarithms, and their spread.

    One refusal among several is outvoted; where half of them refuse, so does the whole.
    """
    if not results:
        return _refused("no ramp was run", 0)
    steps = sum(result.steps for result in results)
    told = [result for result in results if result.refusal is None]
    if 2 * len(told) <= len(results):
        return _refused(next(result.refusal for result in results if result.refusal is not None), steps)
    minima = np.log2([result.lr_at_minimum for result in told])
    spread = float(minima.std(ddof=1)) if len(told) > 1 else 0.0
    worst: Quality = max((result.quality for result in told), key=_RANK.index)
    by_spread: Quality = "good" if spread < SPREAD_GOOD else "fair" if spread < SPREAD_FAIR else "poor"
    edge = float(2.0 ** np.median(np.log2([result.edge for result in told])))
    quality: Quality = max(worst, by_spread, key=_RANK.index)
    return _result(float(2.0 ** np.median(minima)), edge, quality, spread, steps)


_RANK: tuple[Quality, ...] = ("good", "fair", "poor", "none")


def _analyse_one(curve: Curve) -> RangeTestResult:
    finite = np.isfinite(curve.loss)
    count = len(curve) if finite.all() else int(np.argmin(finite))
    if count < MIN_POINTS:
        why = "the loss was not finite" if count < len(curve) else "the ramp ended"
        return _refused(f"{why} after {count} steps, and {MIN_POINTS} are needed", len(curve))
    rates, losses = curve.lr[:count], curve.loss[:count]
    smoothed = smooth(losses, max(1.0, HALF_LIFE_SHARE * count))
    skip = max(3, int(SKIP_SHARE * count))
    lowest = skip + int(np.argmin(smoothed[skip:]))
    start = float(np.median(losses[:skip]))
    improved = start - float(smoothed[lowest])
    if improved <= NOISE_FACTOR * _noise(losses[: lowest + 1]) / np.sqrt(max(1.0, HALF_LIFE_SHARE * count)):
        return _refused("the loss did not fall: no descent at any learning rate of the ramp", len(curve))
    edge = _edge(smoothed, lowest, improved)
    at_border = lowest >= count - 2 and count == len(curve) and edge == count - 1
    quality: Quality = "poor" if at_border else "good" if edge < count - 1 or count < len(curve) else "fair"
    return _result(float(rates[lowest]), float(rates[edge]), quality, 0.0, len(curve))


def _edge(smoothed: Column, lowest: int, improved: float) -> int:
    """Index of the last rate, from the minimum on, before `EDGE_GIVE_BACK` of the improvement is lost."""
    lost = smoothed[lowest:] > smoothed[lowest] + EDGE_GIVE_BACK * improved
    return lowest + (int(np.argmax(lost)) - 1 if lost.any() else len(lost) - 1)


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


def _refused(reason: str | None, steps: int) -> RangeTestResult:
    return RangeTestResult(0.0, 0.0, 0.0, 0.0, "none", 0.0, steps, reason)


def _mean_so_far(values: Column, decay: float) -> Column:
    """The bias-corrected exponential mean after every value."""
    weights = 1.0 - decay ** np.arange(1, len(values) + 1)
    means: NDArray[np.float64] = np.empty(len(values))
    mean = 0.0
    for index, value in enumerate(values):
        mean = decay * mean + (1.0 - decay) * float(value)
        means[index] = mean
    return means / weights


def _noise(losses: Column) -> float:
    """Standard deviation of the noise from step to step; differences have twice its variance and next to no trend."""
    if len(losses) < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(losses))) / (0.6745 * np.sqrt(2.0)))
