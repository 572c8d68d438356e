from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

from superconv_tune.training.compiler import WRAPPED, skip_compiler


@pytest.mark.parametrize(
    "make", [lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True, fused=True), lambda p: AdamW(p, 0.1, fused=True)]
)
def test_an_optimizer_steps_as_torch_s_own(make: Callable[[Any], Optimizer], monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(5, 3)
    inputs = torch.randn(7, 5)

    def trained() -> torch.Tensor:
        learner = copy.deepcopy(model)
        optimizer = make(learner.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            learner(inputs).square().mean().backward()
            optimizer.step()
        assert optimizer.state_dict()["state"]
        return learner.weight.detach()

    expected = trained()
    for name in WRAPPED:
        monkeypatch.setattr(Optimizer, name, getattr(Optimizer, name))
    for kind in (SGD, Adam, AdamW):
        monkeypatch.setattr(kind, "step", kind.step)
    skip_compiler()
    torch.testing.assert_close(trained(), expected, rtol=0.0, atol=0.0)
