"""Metrics by name, computed by torchmetrics, so that ours agree with everybody's.

Outputs come as a model gives them: [n, classes] logits, one logit [n] or [n, 1] for two classes, or numbers in the
targets' shape. A class that the targets lack counts in no mean: of it nothing can be known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import ModuleType

import torch
from torch import Tensor

from superconv_tune.problems.accuracy import ACCURACY, predicted
from superconv_tune.problems.problem import Metric

TOP = 5


def _torchmetrics() -> ModuleType:
    """Imported by the metrics that need it: with SciPy and Matplotlib behind it, it is half of a worker's start."""
    import torchmetrics.functional  # noqa: PLC0415

    return torchmetrics.functional


def _balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    labels, classes = predicted(outputs), _classes(outputs)
    recall = _torchmetrics().classification.multiclass_accuracy(labels, targets, classes, average=None)
    return float(recall[torch.unique(targets)].mean())


def _macro_f1(outputs: Tensor, targets: Tensor) -> float:
    labels, classes = predicted(outputs), _classes(outputs)
    return float(_torchmetrics().classification.multiclass_f1_score(labels, targets, classes, average="macro"))


def _classes(outputs: Tensor) -> int:
    """As many as outputs per item; one logit decides between two."""
    return max(2, outputs.shape[-1]) if outputs.dim() > 1 else 2


def _auroc(outputs: Tensor, targets: Tensor) -> float:
    return _ranked(outputs, targets, _torchmetrics().classification.binary_auroc)


def _average_precision(outputs: Tensor, targets: Tensor) -> float:
    return _ranked(outputs, targets, _torchmetrics().classification.binary_average_precision)


def _ranked(outputs: Tensor, targets: Tensor, measure: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Class 1 against class 0, or the mean over each class against the rest; NaN where no class has both sides.

    torchmetrics squeezes scores through a sigmoid, in which confident ones become equal. Only their order counts, so
    ranks stand in for them, equal ones for equal scores.
    """
    scores = _log_odds(outputs)
    if not scores.isfinite().all():
        return math.nan
    classes = range(1, 2) if scores.shape[1] == 2 else range(scores.shape[1])
    values = []
    for index in classes:
        is_class = (targets == index).long()
        if 0 < int(is_class.sum()) < len(targets):
            ranks = torch.unique(scores[:, index], return_inverse=True)[1].double()
            values.append(float(measure(ranks / len(ranks), is_class)))
    return sum(values) / len(values) if values else math.nan


def _log_odds(outputs: Tensor) -> Tensor:
    """Something that grows with the softmax of every class, [n, classes]; that itself would round to 1."""
    exact = outputs.double()
    if exact.dim() == 1 or exact.shape[-1] == 1:
        logit = exact.reshape(len(exact))
        return torch.stack([-logit, logit], dim=1)
    if exact.shape[-1] == 2:
        return exact - exact.flip(-1)
    return exact.log_softmax(dim=-1)


def _in_top5(outputs: Tensor, targets: Tensor) -> Tensor:
    best = outputs.topk(min(TOP, outputs.shape[-1]), dim=-1).indices
    return (best == targets.unsqueeze(-1)).any(dim=-1)


def _top5_accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float(_in_top5(outputs, targets).double().mean())


def _rmse(outputs: Tensor, targets: Tensor) -> float:
    return float(_torchmetrics().mean_squared_error(*_numbers(outputs, targets), squared=False))


def _mae(outputs: Tensor, targets: Tensor) -> float:
    return float(_torchmetrics().mean_absolute_error(*_numbers(outputs, targets)))


def _r2(outputs: Tensor, targets: Tensor) -> float:
    """The mean over the numbers of an item, each centred and scaled first: torchmetrics takes small squares for 0."""
    guesses, wanted = _numbers(outputs, targets)
    mean, spread = wanted.mean(dim=0, keepdim=True), wanted.std(dim=0, correction=0, keepdim=True)
    if not (spread > 0.0).all():
        return math.nan
    return float(_torchmetrics().r2_score((guesses - mean) / spread, (wanted - mean) / spread))


def _numbers(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    return outputs.reshape(targets.shape).double(), targets.double()


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        ACCURACY,
        Metric("top5_accuracy", "max", 0.0, 1.0, _top5_accuracy, _in_top5),
        Metric("balanced_accuracy", "max", 0.0, 1.0, _balanced_accuracy),
        Metric("macro_f1", "max", 0.0, 1.0, _macro_f1),
        Metric("auroc", "max", 0.0, 1.0, _auroc),
        Metric("average_precision", "max", 0.0, 1.0, _average_precision),
        Metric("rmse", "min", 0.0, None, _rmse),
        Metric("mae", "min", 0.0, None, _mae),
        Metric("r2", "max", None, 1.0, _r2),
    )
}
