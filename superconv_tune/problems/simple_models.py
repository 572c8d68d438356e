"""What simple methods reach on a sample of the data, and how many labels look wrong, in limited time.

Confident learning: Northcutt, Jiang and Chuang 2021, arXiv 1911.00068. An item counts as doubtful only where a linear
model that has not seen it and its nearest neighbours name the same other class, both with more than that class's usual
confidence: the errors of one weak model are not taken for errors of the labels.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection
from threadpoolctl import threadpool_limits
from torch import Tensor

from superconv_tune.core.words import number
from superconv_tune.data.parts import Part
from superconv_tune.measures.metrics import METRICS
from superconv_tune.problems.fitted import logits_of
from superconv_tune.problems.payload import Payload
from superconv_tune.problems.prepare import READS_BYTES
from superconv_tune.problems.problem import Metric
from superconv_tune.record.landmarks import Landmark

SIZES = (300, 1000, 3000)  # items of the sample; a larger one is taken while the time allows
GROWTH = 5.0  # a sample three times as large is assumed to cost at most this many times as much
FEATURES = 256  # of an input; more are projected at random, which keeps distances
MOST_VALUES = 8192  # of an input; of a larger one, such as a photo, this many are drawn
FLOPS = 5e9  # per second, of a core at least
OPERATIONS = 600.0  # per example, feature and class: fifty iterations and more, and two further fits for the labels
PAIRS = 1024  # of two bytes that follow each other, hashed: the features of a text
NEIGHBOURS = 11
FOLDS = 3
FEW = 2 * FOLDS  # items of a class; with fewer its labels are not judged
UNLIKELY = 0.25  # a label is doubtful if both methods give its class a lower probability
ABLE = 0.4  # of the way from the commonest class to no error: less able methods do not judge labels
WORTH_REPORTING = 0.05  # share of doubtful labels; Fashion-MNIST, which has look-alikes, shows 0.04

Array = NDArray[Any]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Sample:
    """Features and targets of some items of the training part, and of some of the validation part."""

    train: Array
    targets: Array
    validation: Array
    validation_targets: Array

    def __len__(self) -> int:
        return len(self.train)


def probe(payload: Payload, metric: Metric, seconds: float, clock: Clock = time.perf_counter) -> list[Landmark]:
    """A linear model, the nearest neighbour, and an estimate of wrong labels; as many as the time allows.

    Args:
        payload: the data; if the user's loaders read them, there are no landmarks.
        metric: the metric of the search.
        seconds: time for all of it.
        clock: returns seconds.
    """
    if payload.arrays is None:
        return []
    if not _fits(payload, metric):
        words = "simple methods: not for this kind of targets, losses and metrics."
        return [Landmark("simple methods", "floor", None, words)]
    if _least_s(payload) > seconds:
        words = f"simple methods: not tried, they would take more than {seconds:.1f} s."
        return [Landmark("simple methods", "floor", None, words)]
    deadline = clock() + seconds
    found: list[Landmark] = []
    for size in _affordable(len(payload.arrays.train), deadline, clock):
        with _single_threaded():
            sample = _sample(payload, size)
            found = _marks(payload, metric, sample)
    return found


def doubtful(linear: Array, near: Array, labels: Array) -> Array:
    """Labels that both methods find unlikely, while they confidently agree on another class; boolean [n].

    Args:
        linear: out-of-sample probabilities [n, classes] of one model.
        near: the same of another model.
        labels: given classes [n].
    """
    classes = [_confident(probabilities, labels) for probabilities in (linear, near)]
    rows = np.arange(len(labels))
    is_unlikely = (linear[rows, labels] < UNLIKELY) & (near[rows, labels] < UNLIKELY)
    return np.asarray((classes[0] == classes[1]) & (classes[0] >= 0) & (classes[0] != labels) & is_unlikely)


def _confident(probabilities: Array, labels: Array) -> Array:
    """The likeliest class among those more probable than on average where they are the label; -1 for none."""
    classes = np.arange(probabilities.shape[1])
    usual = np.array(
        [probabilities[labels == each, each].mean() if (labels == each).any() else 2.0 for each in classes]
    )
    above = np.where(probabilities >= usual, probabilities, -1.0)
    return np.where(above.max(axis=1) >= 0.0, above.argmax(axis=1), -1)


def _fits(payload: Payload, metric: Metric) -> bool:
    """Whether it is known what outputs a simple method has to give: a score per class, or some numbers per item."""
    assert payload.arrays is not None
    is_known = not payload.has_own_loss or metric.name in METRICS
    return is_known and payload.kind != "structured" and payload.arrays.train.targets.ndim <= 2


def _least_s(payload: Payload) -> float:
    """Estimated time for the smallest sample, in seconds."""
    assert payload.arrays is not None
    features = min(FEATURES, math.prod(payload.arrays.train.inputs.shape[1:]))
    return SIZES[0] * features * (payload.classes or 1) * OPERATIONS / FLOPS


def _affordable(items: int, deadline: float, clock: Clock) -> Iterator[int]:
    """Growing sample sizes, each only if it is likely to finish in time."""
    for index, size in enumerate(SIZES):
        started = clock()
        yield min(size, items)
        if size >= items or index + 1 == len(SIZES) or clock() + GROWTH * (clock() - started) > deadline:
            return


def _sample(payload: Payload, size: int) -> Sample:
    assert payload.arrays is not None
    rng = np.random.default_rng(payload.spec.seed)
    is_text = payload.spec.model is not None and payload.spec.model.name == READS_BYTES
    values = math.prod(payload.arrays.train.inputs.shape[1:])
    columns = np.sort(rng.permutation(values)[:MOST_VALUES])
    (train, targets), (validation, validation_targets) = (
        _rows(part, np.sort(rng.permutation(len(part.targets))[:size]))
        for part in (payload.arrays.train, payload.arrays.validation)
    )
    read = _pairs if is_text else lambda inputs: inputs.reshape(len(inputs), -1)[:, columns].astype(np.float32)
    scaler = StandardScaler().fit(features := read(train))
    sample = Sample(scaler.transform(features), targets, scaler.transform(read(validation)), validation_targets)
    if sample.train.shape[1] <= FEATURES:
        return sample
    projection = GaussianRandomProjection(FEATURES, random_state=payload.spec.seed % 2**32).fit(sample.train)
    return replace(sample, train=projection.transform(sample.train), validation=projection.transform(sample.validation))


def _rows(part: Part, rows: Array) -> tuple[Array, Array]:
    return np.asarray(part.inputs[rows]), part.targets[rows]


def _pairs(texts: Array) -> Array:
    """How often every pair of bytes occurs in each text, hashed, on a log scale; the padding is left out."""
    codes = texts.astype(np.int64)
    pairs = (codes[:, :-1] * 31 + codes[:, 1:]) % PAIRS
    counts = np.zeros((len(codes), PAIRS), np.float32)
    is_text = (codes[:, :-1] > 0) & (codes[:, 1:] > 0)
    np.add.at(counts, (np.nonzero(is_text)[0], pairs[is_text]), 1.0)
    return np.log1p(counts)


def _marks(payload: Payload, metric: Metric, sample: Sample) -> list[Landmark]:
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(sample.train)
    rows = nearest.kneighbors(sample.validation, return_distance=False)[:, 0]
    if payload.classes is None:
        fitted = Ridge().fit(sample.train, sample.targets)
        floors = {"a linear model": fitted.predict(sample.validation), "the nearest neighbour": sample.targets[rows]}
        return [_floor(name, _batched(payload, outputs), payload, metric, sample) for name, outputs in floors.items()]
    if len(np.unique(sample.targets)) < 2:
        return []
    model = LogisticRegression(C=0.1, max_iter=50, tol=1e-3)
    fitted = model.fit(sample.train, sample.targets)
    logits = logits_of(fitted, sample.validation, payload.classes)
    floors = {"a linear model": logits, "the nearest neighbour": np.eye(payload.classes)[sample.targets[rows]]}
    scores = {name: torch.from_numpy(outputs).float() for name, outputs in floors.items()}
    found = [_floor(name, outputs, payload, metric, sample) for name, outputs in scores.items()]
    return found + _label_doubts(model, sample)


def _batched(payload: Payload, numbers: Array) -> Tensor:
    """Targets, or numbers predicted for them, in the form that the metric reads."""
    return payload.form.batched(torch.from_numpy(np.ascontiguousarray(numbers)))


def _floor(name: str, outputs: Tensor, payload: Payload, metric: Metric, sample: Sample) -> Landmark:
    targets = _batched(payload, sample.validation_targets)
    try:
        value = float(metric.compute(outputs, targets))
    except Exception as error:  # noqa: BLE001 - a user's own metric may need other outputs
        return Landmark(name, "floor", None, f"{name}: not compared, {metric.name} failed ({type(error).__name__}).")
    if not math.isfinite(value):
        return Landmark(name, "floor", None, f"{name}: not compared, {metric.name} has no value for its outputs.")
    return Landmark(name, "floor", value, f"{name} on {len(sample)} examples reaches {metric.name} {number(value)}.")


def _label_doubts(model: LogisticRegression, sample: Sample) -> list[Landmark]:
    counts = np.bincount(sample.targets)
    kept = counts[sample.targets] >= FEW
    classes, labels = np.unique(sample.targets[kept], return_inverse=True)
    if len(classes) < 2 or len(labels) <= NEIGHBOURS:
        return []
    inputs = sample.train[kept]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    linear = cross_val_predict(model, inputs, labels, cv=folds, method="predict_proba")
    around = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(inputs).kneighbors(return_distance=False)
    near = np.eye(len(classes))[labels[around]].mean(axis=1)
    commonest = np.bincount(labels).max() / len(labels)
    if any((each.argmax(axis=1) == labels).mean() < commonest + ABLE * (1.0 - commonest) for each in (linear, near)):
        return [Landmark("label noise", "ceiling", None, "wrong labels: not judged, simple methods are too weak here.")]
    share = float(doubtful(linear, near, labels).mean())
    if share < WORTH_REPORTING:
        words = f"no more than {100 * WORTH_REPORTING:.0f} % of the labels of {len(labels)} examples look wrong."
        return [Landmark("label noise", "ceiling", 1.0 - share, words)]
    words = (
        f"At least about {100 * share:.0f} % of the labels look wrong or ambiguous (a linear model and the neighbours "
        f"of {len(labels)} training examples agree on another class): with test labels like these, accuracy ends near "
        f"{1.0 - share:.2f}."
    )
    return [Landmark("label noise", "ceiling", 1.0 - share, words, is_warning=True)]


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Use one thread, because several would wait for each other on a busy machine; ignore unfinished fits."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
