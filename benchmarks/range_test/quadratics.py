"""Problems whose stability edge is known: linear and logistic regression, trained by heavy ball on one linear layer.

On curvature h, full-batch heavy ball with momentum b is stable below ``2 (1 + b) / h``; on a batch it is less, and by a
long way with much momentum, so there the truth is a bisection of its own over many more steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import ResidentSet, ResidentSource
from superconv_tune.problems.problem import Metric, Problem

Array = NDArray[np.float64]

ITEMS, FEATURES = 2000, 50
SHARPEST = (0.3, 30.0)  # interval of the largest curvature
CONDITIONS = (10.0, 1000.0)  # interval of its ratio to the smallest one
LABEL_NOISE = 0.1  # of the standard deviation of the targets
TRUTH_STEPS = 3000
TRUTH_HALVINGS = 10  # of a bracket of a factor 256: to within 0.6 %
TRUTH_SEEDS = 3
NEWTON_STEPS = 50
PERTURBATION = 0.05  # of the weights of a logistic regression, in units of one standard deviation of the outputs


@dataclass(frozen=True)
class KnownEdge:
    """Inputs [n, d] and targets [n] of a regression, and how it is trained.

    Attributes:
        inputs: [n, d].
        targets: [n].
        momentum: of heavy ball.
        curvature: largest eigenvalue of the Hessian of the mean loss.
        start: weights [d] to start from; None to draw them.
        logistic: targets are 0 and 1 and the loss is their cross-entropy; half the mean square otherwise.
    """

    inputs: Array
    targets: Array
    momentum: float
    curvature: float
    start: Array | None = None
    logistic: bool = False

    @property
    def edge(self) -> float:
        """Of full-batch heavy ball: ``2 (1 + b) / h``."""
        return 2.0 * (1.0 + self.momentum) / self.curvature

    def params(self, batch_size: int | None = None) -> Hyperparameters:
        """Without weight decay, at one momentum; all items in a batch if no size is given."""
        return Hyperparameters(
            base_momentum=self.momentum,
            momentum_width=0.0,
            weight_decay=0.0,
            batch_size=batch_size or len(self.inputs),
        )

    def problem(self) -> Problem:
        """The same for a trial."""
        inputs = torch.from_numpy(self.inputs).float()
        targets = torch.from_numpy(self.targets).float()
        part = ResidentSet(inputs, targets)
        return Problem(
            device=torch.device("cpu"),
            make_model=self._model,
            make_optimizer=lambda model, _: torch.optim.SGD(model.parameters(), lr=0.0, momentum=self.momentum),
            loss=lambda outputs, wanted, _: self._loss(outputs, wanted),
            metric=Metric("loss", "min", 0.0, None, lambda outputs, wanted: float(self._loss(outputs, wanted))),
            train=ResidentSource(inputs, targets),
            validation=part,
            test=part,
            trivial_value=1.0,
        )

    def _model(self) -> nn.Module:
        model = nn.Linear(self.inputs.shape[1], 1, bias=False)
        if self.start is not None:
            with torch.no_grad():
                model.weight.copy_(torch.from_numpy(self.start)[None])
        return model

    def _loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        if self.logistic:
            return F.binary_cross_entropy_with_logits(outputs[:, 0], wanted)
        return 0.5 * F.mse_loss(outputs[:, 0], wanted)


def least_squares(seed: int, momentum: float, features: int = FEATURES, items: int = ITEMS) -> KnownEdge:
    """Linear regression with a random spectrum: curvatures evenly spread in the logarithm, and noise on the targets."""
    rng = np.random.default_rng(seed)
    sharpest, condition = (float(np.exp(rng.uniform(*np.log(interval)))) for interval in (SHARPEST, CONDITIONS))
    curvatures = sharpest * np.exp(-rng.uniform(0.0, math.log(condition), features))
    curvatures[0], curvatures[-1] = sharpest, sharpest / condition
    left, _ = np.linalg.qr(rng.normal(size=(items, features)))
    right, _ = np.linalg.qr(rng.normal(size=(features, features)))
    inputs = math.sqrt(items) * (left * np.sqrt(curvatures)) @ right.T
    clean = inputs @ rng.normal(size=features)
    targets = clean + LABEL_NOISE * clean.std() * rng.normal(size=items)
    return KnownEdge(inputs, targets, momentum, sharpest)


def logistic_regression(seed: int, momentum: float, features: int = FEATURES, items: int = ITEMS) -> KnownEdge:
    """Logistic regression that starts near its optimum, where the loss is a parabola with the Hessian of the optimum.

    Labels are drawn by the model itself, so that the classes overlap and the optimum is finite.
    """
    rng = np.random.default_rng(seed)
    base = least_squares(seed, momentum, features, items)
    inputs, planted = base.inputs, rng.normal(size=features)
    planted *= 2.0 / (inputs @ planted).std()
    labels = (rng.random(items) < _sigmoid(inputs @ planted)).astype(np.float64)
    weights = np.zeros(features)
    for _ in range(NEWTON_STEPS):
        odds = _sigmoid(inputs @ weights)
        weights = weights - np.linalg.solve(_hessian(inputs, odds), inputs.T @ (odds - labels) / items)
    hessian = _hessian(inputs, _sigmoid(inputs @ weights))
    away = rng.normal(size=features)
    away *= PERTURBATION / (inputs @ away).std()
    curvature = float(np.linalg.eigvalsh(hessian)[-1])
    return KnownEdge(inputs, labels, momentum, curvature, start=weights + away, logistic=True)


def true_edge(case: KnownEdge, batch_size: int) -> float:
    """The edge of least squares in batches: of `TRUTH_STEPS` steps at constant rates, bisected, the median of seeds.

    Nothing of the package is used: plain heavy ball in double precision from weights of zero, which is stable if the
    median loss of the last fifth is no higher than the loss of those.
    """
    edges = [_bisected(case, batch_size, seed) for seed in range(TRUTH_SEEDS)]
    return float(np.median(edges))


def _bisected(case: KnownEdge, batch_size: int, seed: int) -> float:
    low, high = case.edge / 256.0, case.edge
    for _ in range(TRUTH_HALVINGS):
        middle = math.sqrt(low * high)
        if _keeps(case, batch_size, seed, middle):
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def _keeps(case: KnownEdge, batch_size: int, seed: int, rate: float) -> bool:
    rng = np.random.default_rng([seed, 1])
    weights, velocity = np.zeros(case.inputs.shape[1]), np.zeros(case.inputs.shape[1])
    losses: list[float] = []
    while len(losses) < TRUTH_STEPS:
        order = rng.permutation(len(case.inputs))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            inputs = case.inputs[rows]
            errors = inputs @ weights - case.targets[rows]
            losses.append(0.5 * float(errors @ errors) / batch_size)
            if losses[-1] > 1e12 * losses[0]:
                return False
            velocity = case.momentum * velocity + inputs.T @ errors / batch_size
            weights = weights - rate * velocity
    last = losses[int(0.8 * TRUTH_STEPS) : TRUTH_STEPS]
    return float(np.median(last)) <= 0.5 * float(np.mean(case.targets**2))


def _sigmoid(values: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def _hessian(inputs: Array, odds: Array) -> Array:
    return np.asarray((inputs * (odds * (1.0 - odds))[:, None]).T @ inputs / len(inputs))
