"""Your own question in one file: the data (two spirals) and the model (a small network).

Copy it, change `task` and `model`, and name it in a spec as own_problem.yaml does. A task can have more: a loss, a
metric, data loaders; see superconv_tune/problems/user.py.
"""

import numpy as np
from torch import nn

from superconv_tune.problems.user import Task


def task(points: int = 4000, noise: float = 0.15) -> Task:
    """Points of two spirals; every worker calls this once, so it must return the same data in every call."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, points)
    turn = np.sqrt(rng.random(points)) * 3 * np.pi
    angle = turn + np.pi * label
    where = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1) / 5 + noise * rng.standard_normal(
        (points, 2)
    )
    return Task(train=(where.astype(np.float32), label), model=model)


def model() -> nn.Module:
    """A new model; torch's global generator must draw its weights, so that a seed repeats them."""
    return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
