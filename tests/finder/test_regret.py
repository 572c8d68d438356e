"""The whole procedure against the truth: a grid of learning rates, trained."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.finder.find import FinderPlan, find
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.payload import realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialRequest
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

PARAMS = replace(Hyperparameters(), batch_size=64)
GRID = {"sgd": [0.02 * 3.0**power for power in range(5)], "adamw": [6e-4 * 3.0**power for power in range(5)]}


def reached(problem: Problem, epochs: float, max_lr: float) -> float:
    params = replace(PARAMS, cycle_epochs=epochs)
    request = TrialRequest(
        "t", 1, Probe(max_lr), Cycle(max_lr), params=params, schedule=Schedule(), seed=0, deadline=math.inf
    )
    return fmean(run(replace(request, seed=s), problem, NullTracker(), time.time).objective for s in range(2))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_pick_loses_little_against_the_best_of_a_grid(optimizer: str) -> None:
    """MNIST-1D with an MLP, 3 and 10 epochs; benchmarks/range_test/regret.md has all tasks and their bounds."""
    spec = {
        "name": "t",
        "data": {"format": "mnist1d", "args": {"samples": 3000}},
        "model": {"name": "mlp", "width": 0.4},
    }
    payload, _ = prepare(ExperimentSpec.model_validate({**spec, "optimizer": optimizer}))
    problem = realise(payload, torch.device("cpu"))
    found = find(problem, FinderPlan(optimizer=optimizer, params=PARAMS), NullTracker(), time.time)
    for epochs in (3.0, 10.0):
        best = max(reached(problem, epochs, lr) for lr in GRID[optimizer])
        assert reached(problem, epochs, found.max_lr(epochs)) >= best - 0.05
