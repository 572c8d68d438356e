"""The figure of a range test on its own."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from superconv_tune.core.curve import Curve
from superconv_tune.figures.range_test import draw_finding
from superconv_tune.lr.rate_grid import ProbeGrid

MARKS = {"valley": 1e-3, "lowest": 0.1, "max_lr (10 epochs)": 0.2}
PROBES = ProbeGrid((0.1, 0.2, 0.4, 0.8), (-0.9, -0.5, -0.7, -math.inf), -2.3)


def ramp(loss: list[float]) -> Curve:
    count = len(loss)
    step = np.arange(count, dtype=np.float64)
    return Curve(step, np.geomspace(1e-5, 10.0, count), np.full(count, 0.8), np.array(loss), step)


def falling(seed: int) -> Curve:
    noise = 0.05 * np.random.default_rng(seed).standard_normal(200)
    return ramp((np.linspace(2.3, 0.5, 200) + noise).tolist())


def pixels(figure: Figure) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return np.asarray(imread(file), dtype=np.float32)


def values(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata(), dtype=float).tolist(), np.asarray(line.get_ydata(), dtype=float).tolist()


@pytest.mark.parametrize(
    ("ramps", "probes"),
    [
        ([], PROBES),
        ([], None),
        ([ramp([2.3])], None),
        ([ramp([math.nan] * 30)], PROBES),
        ([ramp([2.3] * 30 + [math.inf, math.nan])], None),
        ([ramp([2.3, 1.0, 1e30] * 10)], None),
        ([falling(0), falling(1), falling(2)], PROBES),
        ([falling(0), Curve.empty()], ProbeGrid((0.1,), (-0.5,))),
        ([falling(0)], ProbeGrid((0.1, 0.2), (-math.inf, -math.inf))),
    ],
)
def test_every_range_test_can_be_drawn(ramps: list[Curve], probes: ProbeGrid | None) -> None:
    figure = draw_finding(ramps, probes, MARKS, "digits")
    assert pixels(figure).std() > 0
    assert len(figure.axes) == (1 if probes is None else 2)


def test_every_pick_is_a_line_with_its_name_and_rate_in_the_order_of_the_rates() -> None:
    figure = draw_finding([falling(0)], None, MARKS, "digits")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    legend = axes.get_legend()
    assert legend is not None
    named = [text.get_text() for text in legend.get_texts()]
    assert named[-3:] == ["valley: 0.001", "lowest: 0.1", "max_lr (10 epochs): 0.2"]
    at = [values(line)[0] for line in axes.lines]
    assert [x[0] for x in at if len(x) == 2] == sorted(MARKS.values())


def test_raw_and_smoothed_losses_of_each_replicate_are_drawn_where_they_are_finite() -> None:
    broken = ramp(falling(1).loss.tolist()[:150] + [math.inf] * 50)
    axes = draw_finding([falling(0), broken], None, {}, "digits").axes[0]
    drawn = [values(line)[1] for line in axes.lines]
    assert [len(losses) for losses in drawn] == [200, 200, 150, 150]
    assert drawn[2] == broken.loss[:150].tolist()


def test_probes_show_their_loss_and_where_they_diverged() -> None:
    axes = draw_finding([falling(0)], PROBES, {}, "digits").axes[1]
    rates, losses = values(axes.lines[0])
    assert rates == list(PROBES.rates[:3])
    assert losses == pytest.approx([0.9, 0.5, 0.7])
    assert values(axes.lines[1])[0] == [0.8, 0.8]
    assert values(axes.lines[2])[0][0] == pytest.approx(PROBES.best_lr())
