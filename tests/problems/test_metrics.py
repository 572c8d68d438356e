"""Metrics against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from superconv_tune.problems.metrics import METRICS

LOGITS = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 0.5], [0.1, 0.2, 3.0]])
CLASSES = torch.tensor([0, 1, 1, 2])
PREDICTED, TRUE = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([1.0, 3.0, 2.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 3 / 4),
        ("top5_accuracy", 1.0),
        ("balanced_accuracy", (1 + 1 / 2 + 1) / 3),
        ("macro_f1", (2 / 3 + 2 / 3 + 1) / 3),
    ],
)
def test_classification(name: str, value: float) -> None:
    assert METRICS[name].compute(LOGITS, CLASSES) == pytest.approx(value)


@pytest.mark.parametrize(("name", "value"), [("rmse", math.sqrt(5 / 3)), ("mae", 1.0), ("r2", 1 - 5 / 2)])
def test_regression(name: str, value: float) -> None:
    assert METRICS[name].compute(PREDICTED, TRUE) == pytest.approx(value)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.correct])
def test_a_metric_over_items_is_the_mean_of_what_is_right(name: str) -> None:
    metric = METRICS[name]
    assert metric.correct is not None
    right = metric.correct(LOGITS, CLASSES)
    assert right.shape == CLASSES.shape
    assert float(right.double().mean()) == pytest.approx(metric.compute(LOGITS, CLASSES))
