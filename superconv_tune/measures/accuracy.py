"""Accuracy in plain torch, so that a trial needs no other package."""

from __future__ import annotations

from torch import Tensor


def predicted(outputs: Tensor) -> Tensor:
    """Class of every item [n]: the largest of [n, classes]; of one logit, [n] or [n, 1], whether it is above 0."""
    if outputs.dim() == 1 or outputs.shape[-1] == 1:
        return (outputs.reshape(len(outputs)) > 0).long()
    return outputs.argmax(dim=-1)


def correct_items(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether the predicted class is the target [n]; boolean [n]."""
    return predicted(outputs) == targets


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of the items whose class the outputs say."""
    return float(correct_items(outputs, targets).double().mean())
