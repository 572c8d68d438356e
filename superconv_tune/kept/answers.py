"""From the outputs of one model, or of several together, to probabilities and predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from superconv_tune.core.errors import UserError
from superconv_tune.kept.description import Answer
from superconv_tune.measures.accuracy import predicted

SMALLEST = torch.finfo(torch.float64).tiny  # a probability has a logarithm


def probabilities(outputs: Tensor, answer: Answer) -> Tensor:
    """Probability of every class, [n, classes] as float64; one output per item is the log odds of the second class.

    Raises:
        UserError: if the outputs are not those of classes.
    """
    count = len(answer.labels)
    if not are_of_classes(outputs, answer):
        shape = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UserError(
            f"predict: there are no probabilities of classes: the outputs of the model are {shape} for {count} classes."
        )
    if outputs.dim() == 2 and outputs.shape[1] == count:
        return outputs.double().softmax(dim=1)
    second = outputs.double().reshape(-1).sigmoid()
    return torch.stack([1.0 - second, second], dim=1)


def are_of_classes(outputs: Any, answer: Answer) -> bool:
    """Whether there is one output for every class, or one for two classes."""
    if answer.kind != "classes" or not isinstance(outputs, Tensor):
        return False
    shape, count = tuple(outputs.shape[1:]), len(answer.labels)
    return shape == (count,) or (count == 2 and shape in ((), (1,)))


def together(outputs: Sequence[Tensor], answer: Answer) -> Tensor:
    """The outputs of several models as one: the logarithm of their mean probability, or their mean number.

    Raises:
        UserError: if only the user knows what the outputs are.
    """
    if len(outputs) == 1:
        return outputs[0]
    if answer.kind == "numbers" and isinstance(outputs[0], Tensor):
        return torch.stack([each.double() for each in outputs]).mean(dim=0)
    mean = torch.stack([probabilities(each, answer) for each in outputs]).mean(dim=0)
    return mean.clamp(min=SMALLEST).log()


def in_units(outputs: Tensor, answer: Answer) -> Tensor:
    """Numbers in the units of the targets, [n, ...] in the shape of the targets if they are as many."""
    if answer.scale:
        wide = outputs.double()
        scale, offset = (
            torch.tensor(each, dtype=torch.float64, device=wide.device) for each in (answer.scale, answer.offset)
        )
        outputs = wide * (scale if wide.dim() > 1 else scale[0]) + (offset if wide.dim() > 1 else offset[0])
    is_alike = math.prod(outputs.shape[1:]) == math.prod(answer.shape)
    return outputs.reshape(-1, *answer.shape) if is_alike else outputs


def predictions(outputs: Any, answer: Answer) -> Any:
    """The predicted label of every item, or the numbers in the units of the targets; else the outputs themselves."""
    if are_of_classes(outputs, answer):
        labels: NDArray[Any] = np.asarray(answer.labels)
        return labels[predicted(outputs).cpu().numpy()]
    if answer.kind == "numbers" and isinstance(outputs, Tensor):
        return in_units(outputs, answer).cpu().numpy()
    return outputs.cpu().numpy() if isinstance(outputs, Tensor) else outputs
