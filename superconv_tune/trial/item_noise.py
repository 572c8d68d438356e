"""The noise of a test value that comes from the number of test items, for a metric that is no mean over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from superconv_tune.measures.metrics import Metric

SAMPLES = 100
LEAST_SAMPLES = 10  # with a slow metric; their standard error is off by a quarter
MOST_S = 1.0  # seconds after which no more samples are drawn than those
KNOWN_SHARE = 0.5  # of the samples, on which the metric must have a value: a sample may lack a class


def items_se(
    metric: Metric,
    answers: tuple[Any, Any],
    groups: NDArray[np.int64] | None,
    seed: int,
    clock: Callable[[], float],
    deadline: float,
) -> float | None:
    """Standard error of the metric over samples of the items, or of their groups, drawn with replacement.

    Efron 1979, The Annals of Statistics 7. Samples on which the metric has no value, or fails, are left out. Where all
    others have the same value, as where a model is always right, it is that of a metric between 0 and 1 which one more
    item would change: they are not perfect because the items were few.

    Returns:
        The standard error; None where most samples have no value, there is one item or group only, the deadline (Unix
        time) left no time for the fewest samples, or outputs and targets are no single tensors, of which items could be
        drawn.
    """
    outputs, targets = answers
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor) and len(outputs) == len(targets)):
        return None
    members = None if groups is None else _members(groups)
    number = len(outputs) if members is None else len(members)
    if number < 2:
        return None
    rng, began, values = np.random.default_rng(seed), clock(), list[float]()
    while len(values) < SAMPLES and (clock() - began < MOST_S or (len(values) < LEAST_SAMPLES and clock() < deadline)):
        drawn = rng.integers(0, number, size=number)
        rows = drawn if members is None else np.concatenate([members[each] for each in drawn])
        values.append(_value(metric, outputs, targets, torch.from_numpy(rows)))
    known = [value for value in values if math.isfinite(value)]
    if len(values) < LEAST_SAMPLES or len(known) <= KNOWN_SHARE * len(values):
        return None
    return float(np.std(known, ddof=1)) if len(set(known)) > 1 else 1.0 / number


def _members(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each group."""
    order, ends = np.argsort(groups, kind="stable"), np.cumsum(np.unique(groups, return_counts=True)[1])
    return np.split(order, ends[:-1])


def _value(metric: Metric, outputs: Tensor, targets: Tensor, rows: Tensor) -> float:
    """The metric of these rows; NaN if it fails."""
    try:
        return float(metric.compute(outputs[rows.to(outputs.device)], targets[rows.to(targets.device)]))
    except Exception:  # noqa: BLE001 - a user's own metric may do anything where a class is missing
        return math.nan
