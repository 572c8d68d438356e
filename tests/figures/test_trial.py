from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from superconv_tune.core.curve import Curve
from superconv_tune.figures.trial import draw_cycle, draw_range_test, limit_loss, marks
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.record.trial import TrialOutcome

FOUND = RangeTestResult(0.1, 0.4, 0.05, 0.01, "good", 0.0, 300)


def ramp(loss: list[float]) -> Curve:
    count = len(loss)
    step = np.arange(count, dtype=np.float64)
    return Curve(step, np.geomspace(1e-5, 10.0, count), np.full(count, 0.8), np.array(loss), step)


@pytest.mark.parametrize(
    "loss",
    [
        [2.3],
        [2.3, 2.3, 2.3],
        [float("nan")] * 5,
        [2.3, 2.0, float("inf"), float("nan")],
        [2.3, 1.0, 1e30],
        [-1.0, -2.0, 5.0],
        np.linspace(2.3, 0.1, 5000).tolist(),
    ],
)
def test_every_curve_can_be_drawn(tmp_path: Path, loss: list[float]) -> None:
    outcome = TrialOutcome("s-1", 1, "finished", 0.9, range_test=FOUND)
    for name, draw in (("range_test", draw_range_test), ("cycle", draw_cycle)):
        draw(tmp_path / f"{name}.png", ramp(loss), outcome)
        pixels = imread(tmp_path / f"{name}.png")
        assert pixels.shape[:2] == (320, 512)
        assert pixels.std() > 0


def test_the_pick_is_the_peak_that_was_trained_with() -> None:
    trained = TrialOutcome("s-1", 1, "finished", 0.9, range_test=FOUND, max_lr=0.07)
    assert marks(trained) == {"lr_at_minimum": 0.1, "edge": 0.4, "pick": 0.07}
    only_ramps = TrialOutcome("s-1", 1, "finished", 0.9, range_test=FOUND)
    assert marks(only_ramps)["pick"] == FOUND.max_lr


def test_a_curve_that_was_refused_or_not_read_gets_no_marks() -> None:
    refused = RangeTestResult(0.0, 0.0, 0.0, 0.0, "none", 0.0, 300, refusal="no descent")
    assert marks(TrialOutcome("s-1", 1, "no_lr", 0.1, range_test=refused)) == {}
    assert marks(TrialOutcome("s-1", 1, "nan", 0.1)) == {}


def test_the_loss_axis_ends_as_far_above_the_start_as_the_lowest_lies_below_it() -> None:
    axes = Figure().subplots()
    limit_loss(axes, ramp([2.0] * 30 + [0.5] * 30 + [1e9, float("inf")]))
    assert list(axes.get_ylim()) == pytest.approx([0.5 - 0.15, 3.5 + 0.15])
