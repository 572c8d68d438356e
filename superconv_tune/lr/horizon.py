"""How the best peak learning rate moves with the length of the cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SATURATION = 27.0  # multiple of the reference length (three rungs) beyond which the rule is constant, for lack of data

# Mean and standard deviation of the exponent before anything was trained, by optimizer; fitted without the family of
# tasks on which they are evaluated (benchmarks/range_test/regret.md). With SGD every such fit gives 0.1, and 0.25 or
# more makes long cycles diverge. With AdamW exponents between -0.2 and 0 differ by less than the noise.
PRIORS: dict[str, tuple[float, float]] = {"sgd": (0.1, 0.15), "adamw": (0.0, 0.15)}
PRIOR_ELSE = (0.0, 0.25)  # for an unknown optimizer: no dependence on the length until the data show one
NOISE_OCTAVES = 0.5  # standard deviation, in octaves, of the best learning rate of one rung


@dataclass(frozen=True)
class HorizonRule:
    """``max_lr(T) = min(edge, reference_lr * (T / reference_epochs)^exponent)``.

    Attributes:
        reference_lr: best peak learning rate of a cycle of ``reference_epochs``.
        reference_epochs: length of that cycle.
        exponent: exponent of the length, see `PRIORS`.
        edge: largest peak that trained without losing what it learned; None if unknown. Never lowers ``reference_lr``.
    """

    reference_lr: float
    reference_epochs: float
    exponent: float
    edge: float | None = None

    def max_lr(self, epochs: float) -> float:
        """The peak learning rate for a cycle of ``epochs``."""
        ratio = min(max(epochs / self.reference_epochs, 1.0 / SATURATION), SATURATION)
        pick = self.reference_lr * math.pow(ratio, self.exponent)
        if self.edge is None:
            return pick
        return min(pick, max(self.edge, self.reference_lr))


def prior(optimizer: str) -> tuple[float, float]:
    """Mean and standard deviation of the exponent before anything was trained."""
    return PRIORS.get(optimizer, PRIOR_ELSE)


def fit_exponent(best: Sequence[tuple[float, float]], prior: tuple[float, float]) -> float:
    """The exponent fitted to the best learning rates of the rungs, shrunk towards the prior.

    Ridge regression of log(lr) on log(epochs) around the prior's mean: the posterior mean under a normal prior,
    with ``NOISE_OCTAVES`` of noise on each rung.

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
