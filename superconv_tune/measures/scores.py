"""The functions behind the table of metrics, computed by torchmetrics, so that they agree with those of other programs.

Outputs come as a model gives them: [n, classes] logits, one logit [n] or [n, 1] for two classes, or numbers in the
targets' shape. A class without targets is left out of every mean over classes; by `macro_f1` only if it is never
predicted either.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torchmetrics.functional as tm
from torch import Tensor

from superconv_tune.measures.accuracy import predicted
from superconv_tune.measures.metrics import TOP


def balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Mean over the classes of the share of their items that are right."""
    labels, classes = predicted(outputs), _classes(outputs)
    recall = tm.classification.multiclass_accuracy(labels, targets, classes, average=None)
    return float(recall[torch.unique(targets)].mean())


def macro_f1(outputs: Tensor, targets: Tensor) -> float:
    """Mean over the classes of the F1 score."""
    labels, classes = predicted(outputs), _classes(outputs)
    return float(tm.classification.multiclass_f1_score(labels, targets, classes, average="macro"))


def mcc(outputs: Tensor, targets: Tensor) -> float:
    """Matthews correlation of predicted and true classes (Gorodkin 2004): 1 if all are right, 0 for a constant guess.

    torchmetrics has it too, but gives a constant guess of two classes a value below 0.
    """
    table = tm.classification.multiclass_confusion_matrix(predicted(outputs), targets, _classes(outputs)).double()
    true, guessed, items = table.sum(dim=1), table.sum(dim=0), table.sum()
    spread = (items**2 - true @ true) * (items**2 - guessed @ guessed)
    return float((table.trace() * items - true @ guessed) / spread.sqrt()) if spread > 0 else 0.0


def _classes(outputs: Tensor) -> int:
    """Number of classes: the outputs per item, or 2 for a single logit."""
    return max(2, outputs.shape[-1]) if outputs.dim() > 1 else 2


def auroc(outputs: Tensor, targets: Tensor) -> float:
    """Area under the ROC curve."""
    return _ranked(outputs, targets, tm.classification.binary_auroc)


def average_precision(outputs: Tensor, targets: Tensor) -> float:
    """Average precision, the area under the curve of precision over recall."""
    return _ranked(outputs, targets, tm.classification.binary_average_precision)


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
    """A score that rises with the softmax of every class, [n, classes]; the softmax itself would round to 1."""
    exact = outputs.double()
    if exact.dim() == 1 or exact.shape[-1] == 1:
        logit = exact.reshape(len(exact))
        return torch.stack([-logit, logit], dim=1)
    if exact.shape[-1] == 2:
        return exact - exact.flip(-1)
    return exact.log_softmax(dim=-1)


def in_top5(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether the target is among the five highest outputs; boolean [n]."""
    best = outputs.topk(min(TOP, outputs.shape[-1]), dim=-1).indices
    return (best == targets.unsqueeze(-1)).any(dim=-1)


def top5_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of the items whose target is among the five highest outputs."""
    return float(in_top5(outputs, targets).double().mean())


def rmse(outputs: Tensor, targets: Tensor) -> float:
    """Root of the mean squared error."""
    return float(tm.mean_squared_error(*_numbers(outputs, targets), squared=False))


def mae(outputs: Tensor, targets: Tensor) -> float:
    """Mean absolute error."""
    return float(tm.mean_absolute_error(*_numbers(outputs, targets)))


def r2(outputs: Tensor, targets: Tensor) -> float:
    """R squared, the mean over the numbers of an item.

    Each is centred and scaled first, because torchmetrics takes small squares for 0.
    """
    guesses, wanted = _numbers(outputs, targets)
    mean, spread = wanted.mean(dim=0, keepdim=True), wanted.std(dim=0, correction=0, keepdim=True)
    if not (spread > 0.0).all():
        return math.nan
    return float(tm.r2_score((guesses - mean) / spread, (wanted - mean) / spread))


def _numbers(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    return outputs.reshape(targets.shape).double(), targets.double()
