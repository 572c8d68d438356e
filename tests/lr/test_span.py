"""The values that a trial passes to its schedule, and which are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.span import Span


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"max_lr": 0.0}, "max_lr"),
        ({"max_lr": math.nan}, "max_lr"),
        ({"max_lr": math.inf}, "max_lr"),
        ({"div_factor": 0.0}, "div_factor"),
        ({"final_div_factor": 0.5}, "final_div_factor"),
        ({"pct_start": 1.5}, "pct_start"),
        ({"weight_decay": -1e-4}, "weight_decay"),
        ({"base_momentum": 0.99}, "base_momentum"),
    ],
)
def test_a_span_that_no_policy_can_follow_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Span(**{"steps": 10, "max_lr": 1.0, **change})


def test_the_span_of_a_trial_has_its_hyperparameters() -> None:
    params = Hyperparameters(base_momentum=0.8, momentum_width=0.15, weight_decay=1e-3, pct_start=0.4, div_factor=10.0)
    span = Span.of(params, 50, 0.2)
    assert (span.steps, span.max_lr, span.pct_start, span.weight_decay) == (50, 0.2, 0.4, 1e-3)
    assert (span.base_momentum, span.max_momentum) == pytest.approx((0.8, 0.95))
    assert (span.min_lr, span.final_lr) == pytest.approx((0.02, 2e-6))
