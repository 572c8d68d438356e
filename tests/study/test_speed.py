"""What is measured before a search."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.problems.payload import DataCard
from superconv_tune.study.speed import measure
from tests.fakes import toy_problem

CARD = DataCard("classification", 4, (), (), (8,), 480, 200, 200, "", "")
LOADING_S = 2.0


def test_what_the_first_steps_load_is_no_part_of_the_speed() -> None:
    """A GPU loads and chooses its kernels in the first steps of every batch size and precision."""
    problem, seen = toy_problem(), set()

    def loss(outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        if outputs.requires_grad and len(outputs) not in seen:
            seen.add(len(outputs))
            time.sleep(LOADING_S)
        return problem.loss(outputs, targets, smoothing)

    torch.manual_seed(0)
    measured = measure(replace(problem, loss=loss), CARD, Hyperparameters(batch_size=32), [48, 64])
    assert seen == {32, 48, 64}
    assert set(measured.step_s) == {"32", "48", "64"}
    assert all(seconds < LOADING_S / 20 / 2 for seconds in measured.step_s.values())
