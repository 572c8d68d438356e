"""How the best peak learning rate moves with the length of the cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SATURATION = 27.0  # beyond so many times the reference length (three rungs) the rule grows no further: nothing was seen

# Mean and standard deviation of the exponent before anything was trained, by optimizer; from tasks of other families
# than the one that is judged (benchmarks/range_test/regret.md). All of them ask for 0.1 with SGD; 0.25 and more runs it
# over the cliff. With AdamW exponents between -0.2 and 0 differ by less than the noise.
PRIORS: dict[str, tuple[float, float]] = {"sgd": (0.1, 0.15), "adamw": (0.0, 0.15)}
PRIOR_ELSE = (0.0, 0.25)  # of an optimizer that is not known: nothing moves until something was seen
NOISE_OCTAVES = 0.5  # how well one rung's best learning rate is known


@dataclass(frozen=True)
class HorizonRule:
    """``max_lr(T) = min(edge, reference_lr * (T / reference_epochs)^exponent)``.

    Attributes:
        reference_lr: best peak of a cycle of ``reference_epochs``.
        reference_epochs: its length.
        exponent: growth with the length, see `PRIORS`.
        edge: largest peak that was tried and kept what it learned; None if unknown. The reference itself is never cut.
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
        return min(pick, max(self.edge, self.reference_lr))


def prior(optimizer: str) -> tuple[float, float]:
    """Mean and standard deviation of the exponent before anything was trained."""
    return PRIORS.get(optimizer, PRIOR_ELSE)


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
