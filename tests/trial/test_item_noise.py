"""The noise of a test value from the number of items: of any metric, of groups, and where it cannot be known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from superconv_tune.measures.metrics import METRICS, Metric
from superconv_tune.trial.item_noise import LEAST_SAMPLES, MOST_S, SAMPLES, items_se
from tests.fakes import FakeClock

AUROC, RMSE = METRICS["auroc"], METRICS["rmse"]


def own(compute: Callable[[Tensor, Tensor], float]) -> Metric:
    return Metric("own", "max", None, None, compute)


def scores(items: int, positives: int) -> tuple[Tensor, Tensor]:
    targets = (torch.arange(items) < positives).long()
    return torch.randn(items, generator=torch.Generator().manual_seed(0)) + 2.0 * targets, targets


def test_the_noise_of_a_root_mean_square() -> None:
    """Of n normal errors with deviation s it is s / sqrt(2 n)."""
    outputs = torch.randn(2000, generator=torch.Generator().manual_seed(1))
    found = items_se(RMSE, (outputs, torch.zeros(2000)), None, 1, FakeClock(), math.inf)
    assert found == pytest.approx(1.0 / math.sqrt(4000.0), rel=0.25)


def test_samples_that_lack_a_class_are_left_out() -> None:
    """With two positives one sample in seven has none."""
    few, many = (items_se(AUROC, scores(200, positives), None, 3, FakeClock(), math.inf) for positives in (2, 100))
    assert few is not None
    assert many is not None
    assert few > many > 0.0


def test_a_metric_that_fails_on_a_sample_has_no_value_there() -> None:
    def strict(outputs: Tensor, targets: Tensor) -> float:
        if len(torch.unique(targets)) < 2:
            raise ValueError("Only one class is present.")
        return float((outputs.round() == targets).double().mean())

    assert items_se(own(strict), scores(40, 2), None, 4, FakeClock(), math.inf) is not None
    assert items_se(own(lambda *_: math.nan), scores(40, 2), None, 4, FakeClock(), math.inf) is None


def test_of_one_group_and_of_structures_nothing_is_known() -> None:
    outputs, targets = scores(40, 20)
    assert items_se(AUROC, (outputs, targets), np.zeros(40, dtype=np.int64), 5, FakeClock(), math.inf) is None
    assert items_se(AUROC, ({"logits": outputs}, targets), None, 5, FakeClock(), math.inf) is None
    assert items_se(AUROC, (outputs, [targets]), None, 5, FakeClock(), math.inf) is None


@pytest.mark.parametrize(("tick_s", "number"), [(0.0, SAMPLES), (MOST_S / 50.5, 51), (MOST_S, LEAST_SAMPLES)])
def test_a_slow_metric_is_computed_on_fewer_samples(tick_s: float, number: int) -> None:
    clock, calls = FakeClock(), list[int]()

    def slow(outputs: Tensor, targets: Tensor) -> float:
        clock.advance(tick_s)
        calls.append(len(targets))
        return float(outputs.mean())

    assert items_se(own(slow), scores(40, 20), None, 6, clock, math.inf) is not None
    assert calls == [40] * number


def test_a_model_that_is_always_right_is_as_sure_as_its_items_are_many() -> None:
    targets = (torch.arange(40) < 20).long()
    assert items_se(AUROC, (targets.float(), targets), None, 5, FakeClock(), math.inf) == 1.0 / 40.0


def test_a_slow_metric_does_not_pass_the_deadline() -> None:
    clock, calls = FakeClock(), list[int]()

    def slow(outputs: Tensor, targets: Tensor) -> float:
        clock.advance(20.0)
        calls.append(len(targets))
        return float(outputs.mean())

    assert items_se(own(slow), scores(40, 20), None, 6, clock, clock() + 30.0) is None
    assert len(calls) == 2
