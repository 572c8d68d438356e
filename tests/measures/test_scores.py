"""Metrics against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from superconv_tune.measures.loss_functions import bce, cross_entropy, mse
from superconv_tune.measures.metrics import METRICS

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


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize(
    ("name", "value"), [("accuracy", 3 / 4), ("balanced_accuracy", (1 / 2 + 1) / 2), ("macro_f1", (2 / 3 + 4 / 5) / 2)]
)
def test_one_logit_decides_between_two_classes(name: str, value: float, shape: tuple[int, ...]) -> None:
    logits = torch.tensor([2.0, -1.0, 3.0, 1.0]).reshape(shape)
    assert METRICS[name].compute(logits, torch.tensor([1, 0, 1, 0])) == pytest.approx(value)


def test_top5_is_what_stands_among_the_five_highest() -> None:
    outputs = torch.arange(7.0).repeat(7, 1)
    right = METRICS["top5_accuracy"].correct
    assert right is not None
    assert right(outputs, torch.arange(7)).tolist() == [False, False, True, True, True, True, True]


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_the_logistic_loss_of_one_logit(shape: tuple[int, ...]) -> None:
    logits, targets = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1, 0, 0])
    chances = torch.sigmoid(logits)
    wanted = -(chances[0].log() + (1 - chances[1]).log() + (1 - chances[2]).log()) / 3
    assert float(bce(logits.reshape(shape), targets, 0.0)) == pytest.approx(float(wanted))
    halved = bce(logits.reshape(shape), targets, 1.0)  # all labels smoothed to 1/2
    assert float(halved) == pytest.approx(float(-(chances.log() + (1 - chances).log()).mean() / 2))


def test_softmax_over_one_output_is_refused() -> None:
    with pytest.raises(ValueError, match="bce"):
        cross_entropy(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long), 0.0)


def test_mse_does_not_broadcast_a_column_over_a_row() -> None:
    assert float(mse(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0]), 0.0)) == pytest.approx(2.0)


def test_a_class_without_targets_counts_for_f1_once_it_is_predicted() -> None:
    targets, outputs = torch.tensor([0, 1, 1, 1]), torch.eye(3)
    assert METRICS["macro_f1"].compute(outputs[targets], targets) == 1.0
    assert METRICS["macro_f1"].compute(outputs[torch.tensor([0, 1, 1, 2])], targets) == pytest.approx(
        (1.0 + 0.8 + 0.0) / 3.0
    )
