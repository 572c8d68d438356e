"""Metrics by name, computed by torchmetrics, so that ours agree with everybody's."""

from __future__ import annotations

from collections.abc import Mapping

import torchmetrics.functional as tm
from torch import Tensor

from superconv_tune.problems.accuracy import ACCURACY, predicted
from superconv_tune.problems.problem import Metric

TOP = 5


def _balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    labels, classes = predicted(outputs), _classes(outputs)
    return float(tm.classification.multiclass_accuracy(labels, targets, classes, average="macro"))


def _macro_f1(outputs: Tensor, targets: Tensor) -> float:
    labels, classes = predicted(outputs), _classes(outputs)
    return float(tm.classification.multiclass_f1_score(labels, targets, classes, average="macro"))


def _classes(outputs: Tensor) -> int:
    """As many as outputs per item; one logit decides between two."""
    return max(2, outputs.shape[-1]) if outputs.dim() > 1 else 2


def _in_top5(outputs: Tensor, targets: Tensor) -> Tensor:
    best = outputs.topk(min(TOP, outputs.shape[-1]), dim=-1).indices
    return (best == targets.unsqueeze(-1)).any(dim=-1)


def _top5_accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float(_in_top5(outputs, targets).double().mean())


def _rmse(outputs: Tensor, targets: Tensor) -> float:
    return float(tm.mean_squared_error(outputs.reshape(targets.shape), targets, squared=False))


def _mae(outputs: Tensor, targets: Tensor) -> float:
    return float(tm.mean_absolute_error(outputs.reshape(targets.shape), targets))


def _r2(outputs: Tensor, targets: Tensor) -> float:
    return float(tm.r2_score(outputs.reshape(targets.shape), targets))


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        ACCURACY,
        Metric("top5_accuracy", "max", 0.0, 1.0, _top5_accuracy, _in_top5),
        Metric("balanced_accuracy", "max", 0.0, 1.0, _balanced_accuracy),
        Metric("macro_f1", "max", 0.0, 1.0, _macro_f1),
        Metric("rmse", "min", 0.0, None, _rmse),
        Metric("mae", "min", 0.0, None, _mae),
        Metric("r2", "max", None, 1.0, _r2),
    )
}
