"""How the best peak learning rate moves with the length of the cycle, and how probes find it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAFETY = 1.2  # a peak stays this factor below the edge
SATURATION = 27.0  # beyond so many times the reference length (three rungs) the rule grows no further: nothing was seen

# Mean and standard deviation of the exponent before anything was trained, by optimizer. Measured best peaks of SGD
# cycles grew as T^0.45 for an MLP and a small ResNet and not at all for a CNN: the prior covers both ends. Adam-like
# optimizers normalise their steps, and their best rates hardly move.
PRIORS: dict[str, tuple[float, float]] = {"sgd": (0.25, 0.25), "adamw": (0.0, 0.15)}
NOISE_OCTAVES = 0.5  # how well one rung's best learning rate is known


@dataclass(frozen=True)
class HorizonRule:
    """``max_lr(T) = min(edge / SAFETY, reference_lr * (T / reference_epochs)^exponent)``.

    Attributes:
        reference_lr: best peak of a cycle of ``reference_epochs``.
        reference_epochs: its length.
        exponent: growth with the length, see `PRIORS`.
        edge: largest stable learning rate; None if unknown. The reference itself, which was trained, is never cut.
    """

    reference_lr: float
    reference_epochs: float
    exponent: float
    edge: float | None = None

    def max_lr(self, epochs: float) -> float:
        """The pick for a cycle of ``epochs``."""
        ratio = min(max(epochs / self.reference_epochs, 1.0 / SATURATION), SATURATION)
        pick = self.reference_lr * math.pow(ratio, self.exponent)
        if self.edge is None:
            return pick
        return min(pick, max(self.edge / SAFETY, self.reference_lr))


def fit_exponent(best: Sequence[tuple[float, float]], prior: tuple[float, float]) -> float:
    """The exponent after the rungs' best learning rates, shrunk towards the prior.

    Ridge regression of log(lr) on log(epochs) around the prior's mean: the posterior mean of a normal prior with
    ``NOISE_OCTAVES`` of noise on each rung.

    Args:
        best: (epochs, best learning rate) of the rungs.
        prior: mean and standard deviation of the exponent.
    """
    mean, sd = prior
    lengths = np.log2([epochs for epochs, _ in best])
    rates = np.log2([lr for _, lr in best])
    if len(best) < 2 or np.ptp(lengths) == 0.0:
        return mean
    x, y = lengths - lengths.mean(), rates - rates.mean()
    weight = (sd / NOISE_OCTAVES) ** 2
    return float(mean + weight * (x @ (y - mean * x)) / (1.0 + weight * (x @ x)))


def widen(grid: Sequence[float], scores: Sequence[float], *, higher_is_better: bool) -> float | None:
    """The next learning rate to probe: one more beyond the border where the best lies there, None once it is inside.

    Args:
        grid: probed learning rates, rising, two or more, in equal steps of the logarithm.
        scores: what each reached; non-finite where it diverged, which is worse than any score.
        higher_is_better: direction of the scores.
    """
    worth = _worth(scores, higher_is_better)
    top = int(np.argmax(worth))
    if not math.isfinite(worth[top]):
        return grid[0] * grid[0] / grid[1]  # all diverged: only lower can help
    if top == len(grid) - 1:
        return grid[-1] * grid[-1] / grid[-2]
    if top == 0:
        return grid[0] * grid[0] / grid[1]
    return None


def best_of_grid(grid: Sequence[float], scores: Sequence[float], *, higher_is_better: bool) -> float:
    """The pick among probes: the top of the parabola in log(lr) through the best and its neighbours.

    The parabola steadies the pick against the noise of single runs; it stays within half a step of the best probe.
    Where the next larger probe diverged the pick is half a step below the best one: that one ran a step from the cliff,
    and other seeds will fall over it.
    """
    worth = _worth(scores, higher_is_better)
    top = int(np.argmax(worth))
    if 0 < top < len(grid) - 1 and not math.isfinite(worth[top + 1]):
        return math.sqrt(grid[top - 1] * grid[top])
    if not 0 < top < len(grid) - 1 or not math.isfinite(worth[top - 1]):
        return grid[top]
    left, middle, right = worth[top - 1 : top + 2]
    curvature = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature < 0.0 else 0.0
    step = math.log(grid[top + 1] / grid[top])
    return float(grid[top] * math.exp(min(max(shift, -0.5), 0.5) * step))


def _worth(scores: Sequence[float], higher_is_better: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:  # noqa: FBT001
    values = np.array(scores, dtype=np.float64)
    signed = values if higher_is_better else -values
    return np.where(np.isfinite(values), signed, -np.inf)
