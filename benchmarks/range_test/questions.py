"""Tasks and models of the benchmarks' own; each is a factory as a user would write it."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import make_classification
from torch import nn

from superconv_tune.problems.user import Task


def mlp_bn(inputs: int, outputs: int, units: int = 100) -> nn.Module:
    """Two hidden layers with batch norm."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, units),
        nn.BatchNorm1d(units),
        nn.ReLU(),
        nn.Linear(units, units),
        nn.BatchNorm1d(units),
        nn.ReLU(),
        nn.Linear(units, outputs),
    )


def mlp(inputs: int, outputs: int, units: int = 100) -> nn.Module:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, units),
        nn.ReLU(),
        nn.Linear(units, units),
        nn.ReLU(),
        nn.Linear(units, outputs),
    )


def gaussians(items: int = 9000, features: int = 20, classes: int = 10, seed: int = 0) -> Task:
    """Classes that are mixtures of three Gaussians each, which overlap."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0.0, 1.1, (classes, 3, features))
    labels = rng.integers(0, classes, items)
    inputs = centres[labels, rng.integers(0, 3, items)] + rng.normal(0.0, 1.0, (items, features))
    return Task(train=(inputs.astype(np.float32), labels), model=lambda: mlp(features, classes))


def teacher(items: int = 9000, features: int = 30, classes: int = 5, seed: int = 0) -> Task:
    """Labels that a random network gives, with batch norm in the student."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(items, features, generator=generator)
    hidden = torch.tanh(inputs @ torch.randn(features, 20, generator=generator) / features**0.5 * 2.0)
    scores = hidden @ torch.randn(20, classes, generator=generator)
    labels = (scores + 0.3 * torch.randn(items, classes, generator=generator)).argmax(dim=1)
    return Task(train=(inputs, labels), model=lambda: mlp_bn(features, classes))


def clusters(items: int = 9000, features: int = 40, classes: int = 8, seed: int = 0) -> Task:
    """Scikit-learn's clusters at the corners of a cube, with 5 % of the labels flipped."""
    inputs, labels = make_classification(
        items,
        features,
        n_informative=12,
        n_classes=classes,
        n_clusters_per_class=3,
        flip_y=0.05,
        class_sep=1.0,
        random_state=seed,
    )
    return Task(train=(inputs.astype(np.float32), labels.astype(np.int64)), model=lambda: mlp(features, classes))
