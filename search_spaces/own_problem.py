"""A question of one's own in one file: two spirals, a small network, what is given and what is asked.

Copy it, change `task`, and name it in a spec as own_problem.yaml does. See superconv_tune/problems/user.py.
"""

import numpy as np
from torch import nn

from superconv_tune.problems.user import Task


def task(points: int = 4000, noise: float = 0.15) -> Task:
    """Points of two spirals; the same ones in every call, as every worker calls this once."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, points)
    turn = np.sqrt(rng.random(points)) * 3 * np.pi
    angle = turn + np.pi * label
    where = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1) / 5 + noise * rng.standard_normal(
        (points, 2)
    )
    return Task(train=(where.astype(np.float32), label), model=model)


def model() -> nn.Module:
    """A fresh model; torch's global generator draws its weights."""
    return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
