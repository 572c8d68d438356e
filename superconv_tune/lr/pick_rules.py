"""Rules that pick a learning rate from a range test: the mission's, ours, and those of other programs.

A rule takes the unsmoothed curve of one ramp and repeats the whole analysis of its program: smoothing, early stop,
trimming and suggestion, re-implemented from the formulas. On the same curve the answers of the other programs span two
to three orders of magnitude, so they are for comparison and not to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from superconv_tune.core.curve import Column, Curve
from superconv_tune.lr.lr_range import analyse, running_mean

PickRule = Callable[[Curve], float | None]

FASTAI_DECAY = 0.98
FASTAI_STOP = 4.0
FASTAI_LAST = 5  # last points, which are ignored
SLIDE_WIDTH, SLIDE_THRESHOLD = 15, 0.005
FINDER_WEIGHT = 0.05  # torch-lr-finder and ignite: weight of the newest loss, no bias correction
FINDER_STOP = 5.0
FINDER_FIRST, FINDER_LAST = 10, 5
LIGHTNING_FIRST, LIGHTNING_LAST = 10, 1


class _Points(NamedTuple):
    """The part of a ramp that a program uses: learning rates and smoothed losses."""

    lr: Column
    loss: Column


def lowest(curve: Curve) -> float | None:
    """The mission's rule: the learning rate of the lowest loss, the top of the band; its bottom is a tenth of that."""
    result = analyse([curve])
    return result.lr_at_minimum if result.refusal is None else None


def robust(curve: Curve) -> float | None:
    """Our default: half the learning rate of the lowest loss, see `lr_range.analyse`."""
    result = analyse([curve])
    return result.max_lr if result.refusal is None else None


def minimum(curve: Curve) -> float | None:
    """A tenth of the learning rate of the lowest loss, with the smoothing of fastai."""
    points = _fastai(curve)
    return float(points.lr[np.argmin(points.loss)]) / 10.0 if len(points.lr) else None


def steep(curve: Curve) -> float | None:
    """The left end of the steepest fall per log(lr) between neighbouring points, as in fastai."""
    points = _fastai(curve)
    if len(points.lr) < 2:
        return None
    return float(points.lr[np.argmin(np.diff(points.loss) / np.diff(np.log(points.lr)))])


def valley(curve: Curve) -> float | None:
    """About the middle of the longest valley, fastai's default.

    The valley is the longest falling subsequence of losses. Its points need not be neighbours, yet fastai takes its
    start to be its end minus its length; on a curve that only rises, that is index -1, the last point.
    """
    points = _fastai(curve)
    if not len(points.lr):
        return None
    length = np.ones(len(points.loss), dtype=np.intp)
    for i, loss in enumerate(points.loss):
        length[i] += np.max(length[:i][points.loss[:i] > loss], initial=0)
    end = int(np.argmax(length))
    start = end - int(length[end])
    third = (end - start) / 3
    return float(points.lr[start + int(third) + int(third / 2)])


def slide(curve: Curve) -> float | None:
    """From the right, two pointers 15 steps apart, until their slopes differ by no more than 0.005; as in fastai."""
    points = _fastai(curve)
    count = len(points.lr)
    if count <= SLIDE_WIDTH:
        return None
    slopes = np.gradient(points.loss)
    left = picked = count - 1 - SLIDE_WIDTH
    while left >= 0 and abs(slopes[left + SLIDE_WIDTH] - slopes[left]) > SLIDE_THRESHOLD:
        picked = left
        left -= 1
    return float(points.lr[picked])


def torch_lr_finder(curve: Curve) -> float | None:
    """The steepest fall from step to step, without the first 10 and last 5 steps, as in torch-lr-finder."""
    points = _finder(curve)
    kept = slice(FINDER_FIRST, max(0, len(points.lr) - FINDER_LAST))
    lr, loss = points.lr[kept], points.loss[kept]
    return float(lr[np.argmin(np.gradient(loss))]) if len(lr) > 1 else None


def ignite(curve: Curve) -> float | None:
    """The steepest fall from step to step before the minimum, as in pytorch-ignite's FastaiLRFinder."""
    points = _finder(curve)
    falling = points.loss[: int(np.argmin(points.loss)) + 1] if len(points.lr) else points.loss
    if len(falling) < 3:
        return None
    return float(points.lr[1 + np.argmin(falling[2:] - falling[:-2])])


def lightning(curve: Curve) -> float | None:
    """The steepest fall per lr, not per log(lr), as in Lightning 2.5.3 and later."""
    points = _lightning(curve)
    return float(points.lr[np.argmin(np.gradient(points.loss, points.lr))]) if len(points.lr) > 1 else None


def lightning_before_2_5_3(curve: Curve) -> float | None:
    """The steepest fall from step to step, as in Lightning before 2.5.3."""
    points = _lightning(curve)
    return float(points.lr[np.argmin(np.gradient(points.loss))]) if len(points.lr) > 1 else None


PICK_RULES: dict[str, PickRule] = {
    "robust": robust,
    "lowest": lowest,
    "minimum": minimum,
    "valley": valley,
    "slide": slide,
    "steep": steep,
    "torch_lr_finder": torch_lr_finder,
    "ignite": ignite,
    "lightning": lightning,
    "lightning_before_2_5_3": lightning_before_2_5_3,
}


def _fastai(curve: Curve) -> _Points:
    """`Learner.lr_find`: stop at 4 times the best loss, leave out the first tenth of the ramp and the last 5 points."""
    finite = _finite(curve)
    losses = running_mean(finite.loss, FASTAI_DECAY)
    count = _stopped(losses, FASTAI_STOP)
    kept = slice(len(curve) // 10, max(0, count - FASTAI_LAST))
    return _Points(finite.lr[kept], losses[kept])


def _finder(curve: Curve) -> _Points:
    """torch-lr-finder and ignite: a mean that starts at the first loss, stop at 5 times its best."""
    finite = _finite(curve)
    mean = accumulate(finite.loss.tolist(), lambda mean, loss: (1.0 - FINDER_WEIGHT) * mean + FINDER_WEIGHT * loss)
    losses = np.fromiter(mean, dtype=np.float64, count=len(finite.loss))
    count = _stopped(losses, FINDER_STOP)
    return _Points(finite.lr[:count], losses[:count])


def _lightning(curve: Curve) -> _Points:
    """Lightning's tuner, whose bias correction is one step ahead, so that the first mean is about half the loss.

    The early stop compares with the best mean, and so with about twice the first loss.
    """
    finite = _finite(curve)
    step = np.arange(1, len(finite.loss) + 1)
    ahead = (1.0 - FASTAI_DECAY**step) / (1.0 - FASTAI_DECAY ** (step + 1))
    losses = running_mean(finite.loss, FASTAI_DECAY) * ahead
    count = _stopped(losses, FASTAI_STOP)
    kept = slice(LIGHTNING_FIRST, max(0, count - LIGHTNING_LAST))
    return _Points(finite.lr[kept], losses[kept])


def _finite(curve: Curve) -> _Points:
    """The points before the first loss that is not finite."""
    finite = np.isfinite(curve.loss)
    count = len(curve) if finite.all() else int(np.argmin(finite))
    return _Points(curve.lr[:count], curve.loss[:count])


def _stopped(losses: Column, factor: float) -> int:
    """Number of points up to and including the first one above ``factor`` times the best smoothed loss so far."""
    beyond = losses > factor * np.minimum.accumulate(losses)
    return int(np.argmax(beyond)) + 1 if beyond.any() else len(losses)
