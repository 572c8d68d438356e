"""Data from generators and small data sets with a large part to know the truth; each is a factory as a user writes it.

Training part, validation part and a test part that is large enough to know the truth: what is drawn from a generator
has 20,000 fresh examples. Wrong labels are wrong in all parts, as they are in a data set that somebody labelled.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_classification
from torch import nn

from superconv_tune.data.generated import mnist1d as generate_mnist1d
from superconv_tune.data.idx import read_pair
from superconv_tune.models.cnn1d import cnn1d
from superconv_tune.problems.user import Task

QUESTIONS = Path(__file__)
FASHION = Path("/usr/share/datasets/fashion-mnist")
FRESH = 20_000
MIN_VALIDATION = 300

Array = NDArray[Any]
Model = Callable[[], nn.Module]


def mlp(inputs: int, outputs: int, units: int = 100, *, batch_norm: bool = False) -> nn.Module:
    """Two hidden layers."""
    layers: list[nn.Module] = [nn.Flatten()]
    for width_in, width_out in ((inputs, units), (units, units)):
        layers += [nn.Linear(width_in, width_out), *([nn.BatchNorm1d(width_out)] if batch_norm else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(units, outputs))


def small_conv(outputs: int, channels: int = 8) -> nn.Module:
    """Two convolutions for images of one channel."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(32 * channels, outputs),
    )


def mnist1d(items: int, model: str = "mlp", wrong: float = 0.0, seed: int = 0, **knobs: float) -> Task:
    """Signals of 40 samples that stand for digits."""
    raw = generate_mnist1d(None, {"samples": _total(items), "seed": 1000 + seed, **knobs})
    inputs = np.asarray(raw.train.inputs, dtype=np.float32)
    models = {
        "mlp": lambda: mlp(40, 10),
        "bn": lambda: mlp(40, 10, batch_norm=True),
        "cnn": lambda: cnn1d((1, 40), 10, 1.0),
    }
    return _task((inputs, np.asarray(raw.train.targets)), items, 10, wrong, seed, models[model])


def gaussians(
    items: int, spread: float = 1.1, features: int = 20, classes: int = 10, wrong: float = 0.0, seed: int = 0
) -> Task:
    """Classes that are mixtures of three Gaussians each, which overlap: the best possible error is not zero."""
    rng = np.random.default_rng([seed, 1])
    centres = rng.normal(0.0, spread, (classes, 3, features))
    labels = rng.integers(0, classes, _total(items))
    inputs = centres[labels, rng.integers(0, 3, len(labels))] + rng.normal(0.0, 1.0, (len(labels), features))
    return _task((inputs.astype(np.float32), labels), items, classes, wrong, seed, lambda: mlp(features, classes))


def teacher(items: int, noise: float = 0.3, features: int = 30, classes: int = 5, seed: int = 0) -> Task:
    """Labels that a random network gives, with batch norm in the student."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(_total(items), features, generator=generator)
    hidden = torch.tanh(inputs @ torch.randn(features, 20, generator=generator) / features**0.5 * 2.0)
    scores = hidden @ torch.randn(20, classes, generator=generator)
    labels = (scores + noise * torch.randn(len(inputs), classes, generator=generator)).argmax(dim=1)
    return _task(
        (inputs.numpy(), labels.numpy()), items, classes, 0.0, seed, lambda: mlp(features, classes, batch_norm=True)
    )


def clusters(items: int, separation: float = 1.0, classes: int = 8, wrong: float = 0.05, seed: int = 0) -> Task:
    """Scikit-learn's clusters at the corners of a cube."""
    inputs, labels = make_classification(
        _total(items),
        40,
        n_informative=12,
        n_classes=classes,
        n_clusters_per_class=3,
        flip_y=wrong,
        class_sep=separation,
        random_state=seed,
    )
    return _task((inputs.astype(np.float32), labels), items, classes, 0.0, seed, lambda: mlp(40, classes))


def digits(items: int, model: str = "mlp", seed: int = 0) -> Task:
    """Scikit-learn's handwritten digits; what is neither trained on nor validated is the test part."""
    data = load_digits()
    order = np.random.default_rng([seed, 2]).permutation(len(data.target))
    inputs, labels = (data.images[order, None] / 16.0).astype(np.float32), data.target[order]
    models = {"mlp": lambda: mlp(64, 10, 64), "conv": lambda: small_conv(10)}
    return _task((inputs, labels), items, 10, 0.0, seed, models[model])


def fashion(items: int, model: str = "mlp", wrong: float = 0.0, seed: int = 0) -> Task:
    """Fashion-MNIST as Debian packages it, with few examples to train on and 20,000 to know the truth."""
    images, labels = read_pair(FASHION, "train")
    rows = np.random.default_rng([seed, 3]).permutation(len(labels))[: _total(items)]
    inputs = (np.asarray(images)[rows].reshape(-1, 1, 28, 28) / 255.0).astype(np.float32)
    models = {"mlp": lambda: mlp(784, 10, 64), "conv": lambda: small_conv(10)}
    return _task((inputs, np.asarray(labels)[rows]), items, 10, wrong, seed, models[model])


def _task(examples: tuple[Array, Array], items: int, classes: int, wrong: float, seed: int, model: Model) -> Task:
    """The parts, one after the other, with the share ``wrong`` of the labels drawn anew."""
    inputs, labels = examples
    rng = np.random.default_rng([seed, 4])
    redrawn = rng.random(len(labels)) < wrong
    labels = np.where(redrawn, rng.integers(0, classes, len(labels)), labels).astype(np.int64)
    ends = (items, items + validation_items(items))
    parts = [(inputs[rows], labels[rows]) for rows in (slice(ends[0]), slice(*ends), slice(ends[1], ends[1] + FRESH))]
    return Task(train=parts[0], validation=parts[1], test=parts[2], model=model)


def validation_items(items: int) -> int:
    """Examples that the search looks at: a fifth, as a user would hold out."""
    return max(MIN_VALIDATION, items // 5)


def _total(items: int) -> int:
    return items + validation_items(items) + FRESH
