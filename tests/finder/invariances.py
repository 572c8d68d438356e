"""Changes of a question that change its answer in a known way, or not at all.

Ramps of both sides run over intervals that differ by the same factor as the answers should, so that their grids agree
and one step of them is the whole error that is allowed.

Where the change makes another rounding of every number (weights times 3), or is no exact invariance (AdamW without its
epsilon times the constant), training at large rates is another draw after some steps, as with another seed: there is no
one answer to which it could be held: the pick stays nearly the same, and the lowest loss of the ramp may lie elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.range_test.quadratics import least_squares
from benchmarks.range_test.tasks import TASKS
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import ResidentSet, ResidentSource
from superconv_tune.finder.find import FinderPlan, find
from superconv_tune.finder.finding import Finding
from superconv_tune.lr.lr_range import RAMP_INTERVALS
from superconv_tune.problems.problem import Problem
from superconv_tune.trial.trackers import NullTracker

STEPS = 420  # 60 per decade
GRID_STEP = 10.0 ** (1.0 / 60.0) - 1.0  # between neighbours of the ramp
READINGS = ("lr_at_minimum", "max_lr")


@dataclass(frozen=True)
class Change:
    """A question, its changed form, and the factor by which the answer should change."""

    before: Problem
    after: Problem
    optimizer: str
    params: Hyperparameters
    factor: float


def _gaussians(optimizer: str) -> tuple[Problem, Hyperparameters]:
    task = TASKS["gaussians-mlp"]
    return task.problem(optimizer), Hyperparameters(batch_size=task.batch_size, weight_decay=0.0)


def scaled_loss(optimizer: str, scale: float, epsilon: float = 1.0) -> Change:
    """The loss times a constant: SGD's rates are divided by it, AdamW's stay if its epsilon is multiplied too."""
    problem, params = _gaussians(optimizer)

    def make_optimizer(model: nn.Module, given: Hyperparameters) -> torch.optim.Optimizer:
        made = problem.make_optimizer(model, given)
        for group in made.param_groups:
            if "eps" in group:
                group["eps"] *= epsilon
        return made

    after = replace(
        problem,
        loss=lambda outputs, wanted, s: scale * problem.loss(outputs, wanted, s),
        make_optimizer=make_optimizer,
    )
    return Change(problem, after, optimizer, params, 1.0 / scale if optimizer == "sgd" else 1.0)


def permuted_classes() -> Change:
    """Other names for the classes, of the outputs and of the targets."""
    problem, params = _gaussians("sgd")
    assert isinstance(problem.train, ResidentSource)
    assert isinstance(problem.validation, ResidentSet)
    classes = int(problem.train.targets.max()) + 1
    named = torch.from_numpy(np.random.default_rng(0).permutation(classes))
    places = torch.argsort(named)
    after = replace(
        problem,
        make_model=lambda: _Renamed(problem.make_model(), places),
        train=replace(problem.train, targets=named[problem.train.targets]),
        validation=replace(problem.validation, targets=named[problem.validation.targets]),
    )
    return Change(problem, after, "sgd", params, 1.0)


class _Renamed(nn.Module):
    def __init__(self, model: nn.Module, places: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("places", places)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.model(inputs)[:, self.get_buffer("places")]
        return outputs


def duplicated_data() -> Change:
    """Every example twice, in full batches: the mean loss is the same function."""
    case = least_squares(7, momentum=0.9)
    twice = replace(case, inputs=np.concatenate([case.inputs] * 2), targets=np.concatenate([case.targets] * 2))
    return Change(case.problem(), twice.problem(), "sgd", twice.params(), 1.0)


def scaled_weights(scale: float) -> Change:
    """The weights of a net that batch norm makes scale-invariant, times a constant: rates are multiplied by its square.

    The gradient at k times the weights is a k-th of what it was, and has to move k times as much.
    """
    problem, params = _gaussians("sgd")
    assert isinstance(problem.train, ResidentSource)
    features, classes = problem.train.inputs.shape[1], int(problem.train.targets.max()) + 1

    def net(factor: float) -> nn.Module:
        model = nn.Sequential(*_normed(features, 64), nn.ReLU(), *_normed(64, 64), nn.ReLU(), *_normed(64, classes))
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(factor)
        return model

    before = replace(problem, make_model=lambda: net(1.0))
    return Change(before, replace(problem, make_model=lambda: net(scale)), "sgd", params, scale**2)


def _normed(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Nothing depends on the size of the weights, but for an epsilon that is too small to matter."""
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs, eps=1e-12, affine=False)


EXACT: Mapping[str, Callable[[], Change]] = {
    "SGD, loss times 1/8: pick times 8": lambda: scaled_loss("sgd", 0.125),
    "SGD, loss times 7: pick over 7": lambda: scaled_loss("sgd", 7.0),
    "SGD, loss times 100: pick over 100": lambda: scaled_loss("sgd", 100.0),
    "AdamW, loss and epsilon times 1/8: pick the same": lambda: scaled_loss("adamw", 0.125, 0.125),
    "AdamW, loss and epsilon times 64: pick the same": lambda: scaled_loss("adamw", 64.0, 64.0),
    "every example twice, full batch: pick the same": duplicated_data,
    "classes permuted: pick the same": permuted_classes,
    "scale-invariant net, weights times 4: pick times 16": lambda: scaled_weights(4.0),
}
NEARLY: Mapping[str, Callable[[], Change]] = {
    "AdamW, loss times 10: pick about the same": lambda: scaled_loss("adamw", 10.0),
    "scale-invariant net, weights times 3: pick about times 9": lambda: scaled_weights(3.0),
}


def measure(name: str, seeds: int) -> Mapping[str, tuple[float, ...]]:
    """Of a case, by reading and for every seed: the changed answer over what it should be."""
    change = (EXACT.get(name) or NEARLY[name])()
    found = [_answers(change, seed) for seed in range(seeds)]
    return {reading: tuple(ratios[place] for ratios in found) for place, reading in enumerate(READINGS)}


def _answers(change: Change, seed: int) -> tuple[float, float]:
    one, other = _find(change, change.before, 1.0, seed), _find(change, change.after, change.factor, seed)
    minima = other.range_test.lr_at_minimum / one.range_test.lr_at_minimum
    picks = other.max_lr(other.probe_epochs) / one.max_lr(one.probe_epochs)
    return minima / change.factor, picks / change.factor


def _find(change: Change, problem: Problem, factor: float, seed: int) -> Finding:
    low, high = RAMP_INTERVALS[change.optimizer]
    plan = FinderPlan(
        optimizer=change.optimizer,
        params=change.params,
        interval=(low * factor, high * factor),
        steps=STEPS,
        replicates=1,
        seed=seed,
    )
    return find(problem, plan, NullTracker(), time.time)
