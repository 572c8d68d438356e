"""The finding of a range test as text: nothing is said of what was not measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from superconv_tune.core.curve import Curve
from superconv_tune.finder.finding import Finding
from superconv_tune.finder.words import finding_text
from superconv_tune.lr.horizon import HorizonRule
from superconv_tune.lr.lr_range import RangeTestResult

RAMPS = RangeTestResult(0.42, 1.3, 0.21, 0.042, "good", spread_log2=0.12, steps=240, speed_log2=0.4)
EDGE = "ramps: lowest loss at 0.42, edge at 1.3"


def found(ramps: RangeTestResult) -> Finding:
    lr = np.geomspace(1e-4, 1.0, 40)
    curve = Curve(np.arange(40.0), lr, lr, 1.0 - lr, lr)
    rule = HorizonRule(0.21, 1.0, exponent=0.0)
    return Finding(ramps, (curve,), (), (), 1.0, None, rule, "fair", None, (), 240)


@pytest.mark.parametrize(
    ("spread", "speed", "said"),
    [
        (0.12, 0.4, f"{EDGE}; replicates differ by 0.12 octaves; twice the speed moves the minimum by 0.40 octaves"),
        (0.0, 0.4, f"{EDGE}; twice the speed moves the minimum by 0.40 octaves"),  # a single ramp
        (0.12, 0.0, f"{EDGE}; replicates differ by 0.12 octaves"),  # the faster ramp was refused
        (0.0, 0.0, EDGE),
    ],
)
def test_only_what_was_measured_is_told(spread: float, speed: float, said: str) -> None:
    text = finding_text(found(replace(RAMPS, spread_log2=spread, speed_log2=speed)), (1.0, 10.0))
    assert said in text.splitlines()
