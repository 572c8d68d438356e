"""Scales inputs to mean 0 and standard deviation 1 per channel, batch by batch on the device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from superconv_tune.data.parts import Rows

ROUNDING = 1e-6  # of the mean: a smaller standard deviation is the rounding error of a constant in float32
CHUNK = 8192  # examples at a time: a whole data set as float64 would be eight times its bytes


@dataclass(frozen=True)
class Normaliser:
    """``(x - mean) / std``, with one pair per channel.

    Attributes:
        mean: of every channel, in the units of the inputs.
        std: of every channel; 1 where a channel is constant.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def of(inputs: NDArray[Any] | Rows, rows: NDArray[np.intp]) -> Normaliser:
        """Computed from the training rows only, so that nothing of the other rows leaks.

        Channels are the second axis: those of images [n, c, h, w], the columns of a table [n, k].
        """
        axes = (0, *range(2, inputs.ndim))
        # Taken off first: squares of values near 0 keep their digits.
        origin = inputs[rows[:1]].astype(np.float64).mean(axis=axes, keepdims=True)
        count, total, squares = 0, 0.0, 0.0
        for start in range(0, len(rows), CHUNK):
            chunk = inputs[rows[start : start + CHUNK]].astype(np.float64) - origin
            count += math.prod(chunk.shape[axis] for axis in axes)
            total = total + chunk.sum(axis=axes)
            squares = squares + np.square(chunk).sum(axis=axes)
        centred = total / count
        std = np.sqrt(np.maximum(squares / count - centred**2, 0.0))
        mean = centred + origin.reshape(-1)
        std[std <= ROUNDING * np.abs(mean)] = 1.0
        return Normaliser(tuple(mean.tolist()), tuple(std.tolist()))

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Mean and inverse of the standard deviation, on the device."""
        mean = torch.tensor(self.mean, dtype=torch.float32, device=device)
        return mean, 1.0 / torch.tensor(self.std, dtype=torch.float32, device=device)


def normalised(inputs: Tensor, mean: Tensor, inverse_std: Tensor) -> Tensor:
    """The batch as float32, normalised; uint8 becomes float only here, which saves three quarters of the memory."""
    shape = (1, -1, *([1] * (inputs.dim() - 2)))
    return torch.sub(inputs, mean.view(shape)).mul_(inverse_std.view(shape))
