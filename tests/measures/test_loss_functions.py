"""Losses against closed forms and torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from superconv_tune.measures.loss_functions import loss_of
from superconv_tune.measures.losses import LOSSES


def test_a_balanced_loss_weighs_classes_as_if_they_were_equally_frequent() -> None:
    """Nine of ten items are of class 0: a guess that knows nothing costs ln 2."""
    targets = np.array([0] * 90 + [1] * 10)
    loss = loss_of("balanced_cross_entropy", 2, targets, torch.device("cpu"))
    outputs, labels = torch.tensor([[2.0, 0.0]]).repeat(100, 1), torch.tensor(targets)
    each = F.cross_entropy(outputs, labels, reduction="none")
    assert float(loss(outputs, labels, 0.0)) == pytest.approx(float((each[:90].mean() + each[90:].mean()) / 2))
    assert float(loss(outputs * 0, labels, 0.0)) == pytest.approx(np.log(2))


def test_the_weights_of_a_balanced_loss_lie_on_the_device_before_the_first_step() -> None:
    """Weights that are copied in every step make every step wait."""
    loss = loss_of("balanced_cross_entropy", 2, np.array([0, 0, 1]), torch.device("meta"))
    outputs = torch.zeros(3, 2, device="meta")  # meets no tensor of another device
    assert loss(outputs, torch.zeros(3, dtype=torch.long, device="meta"), 0.0).device.type == "meta"


def test_label_smoothing_is_torch_s() -> None:
    outputs, labels = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 5
    assert torch.equal(
        LOSSES["cross_entropy"].compute(outputs, labels, 0.1), F.cross_entropy(outputs, labels, label_smoothing=0.1)
    )


def test_several_labels_per_item() -> None:
    outputs, labels = torch.tensor([[1.0, -2.0], [0.0, 3.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    wanted = F.binary_cross_entropy_with_logits(outputs, labels)
    assert torch.equal(LOSSES["bce"].compute(outputs, labels, 0.0), wanted)


@pytest.mark.parametrize(
    ("name", "value"), [("mse", (0.25 + 9) / 2), ("l1", (0.5 + 3) / 2), ("huber", (0.125 + 2.5) / 2)]
)
def test_numbers(name: str, value: float) -> None:
    """Also where outputs are a column and targets a row."""
    assert float(LOSSES[name].compute(torch.tensor([[1.5], [5.0]]), torch.tensor([1.0, 2.0]), 0.0)) == pytest.approx(
        value
    )
