"""A user's factory whose models go wrong for some seeds: slow, crashing, NaN, or killing their process."""

from __future__ import annotations

import os
import time

import numpy as np
import torch
from torch import Tensor, nn

from superconv_tune.problems.user import Task

FAULTS = ("slow", "crash", "nan", "exit", "hang")
FIRST_OF_A_SEARCH = 1000  # smaller seeds are those of the preflight, which would refuse a model that goes wrong
BEGINS = 60  # calls of the model until it goes wrong
SLOW_S, HANG_S = 0.05, 1e4


class Troubled(nn.Module):
    """A small network that goes wrong after some calls, in one way."""

    def __init__(self, fault: str | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 10))
        self.fault = fault
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores of the classes, or trouble."""
        self.calls += 1
        outputs: Tensor = self.layers(inputs)
        return outputs if self.calls < BEGINS else self._trouble(outputs)

    def _trouble(self, outputs: Tensor) -> Tensor:
        match self.fault:
            case "slow":
                time.sleep(SLOW_S)
            case "hang":
                time.sleep(HANG_S)
            case "crash":
                raise RuntimeError("the model of this seed crashes")
            case "exit":
                os._exit(1)
            case "nan":
                return outputs * float("nan")
        return outputs


def task(share: float = 0.3, items: int = 6000) -> Task:
    """Overlapping Gaussian clouds; the ``share`` of seeds whose model goes wrong."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0.0, 1.0, (10, 20))
    labels = rng.integers(0, 10, items)
    inputs = (centres[labels] + rng.normal(0.0, 1.0, (items, 20))).astype(np.float32)
    return Task(train=(inputs, labels), model=lambda: Troubled(_fault(torch.initial_seed(), share)))


def _fault(seed: int, share: float) -> str | None:
    """What goes wrong for a seed; for most seeds nothing."""
    rng = np.random.default_rng(seed)
    if seed < FIRST_OF_A_SEARCH or rng.random() >= share:
        return None
    return str(rng.choice(FAULTS))
