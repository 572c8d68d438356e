"""Which points of a curve are sent to MLflow as metrics, and under which names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from superconv_tune.core.curve import Column, Curve
from superconv_tune.record.trial import TrialOutcome

Phase = Literal["range_test", "cycle"]

# With `results` these are all metric names of a study: the UI stays usable with few.
SERIES: Mapping[Phase, tuple[str, ...]] = {
    "range_test": ("loss", "lr", "log10_lr"),  # the UI has no logarithmic axis for a metric
    "cycle": ("loss", "lr", "momentum"),
}
NAME = "metric"  # what stands for a metric whose own name is taken
MAX_POINTS = 500  # per series; the UI draws 320 of a run
LIVE_PER_DOUBLING = 16


class Point(NamedTuple):
    """One metric value. The same point sent twice is stored once, since MLflow keys on all four fields."""

    key: str
    value: float
    timestamp_ms: int
    step: int


def live_rows(step: Column) -> NDArray[np.intp]:
    """Rows that are sent while the trial runs, before its length is known.

    They are every ``k``-th step, where ``k`` is 1 below step 32 and doubles whenever the step does: 32 points and 16
    more per doubling, so about 150 of 5,000 steps and 270 of a million.
    """
    stride = 2.0 ** np.floor(np.log2(np.maximum(step / LIVE_PER_DOUBLING, 1.0)))
    return np.flatnonzero(step % stride == 0)


def shown(curve: Curve) -> Curve:
    """At most `MAX_POINTS` rows: all of a short curve; of a long one the live rows, both ends and the extremes.

    The steps of the curve must rise.
    """
    if len(curve) <= MAX_POINTS:
        return curve
    live = live_rows(curve.step)
    thinned = np.flatnonzero(np.isin(curve.step, curve.thin(MAX_POINTS - len(live)).step))
    return curve.take(np.union1d(live, thinned))


def metric_name(part: Literal["validation", "test"], metric: str) -> str:
    """Name in MLflow of the metric on this part: ``validation/accuracy``."""
    plain = re.sub(r"[^\w\-. :]", "_", metric)  # MLflow refuses other characters
    return f"{part}/{NAME if plain == 'loss' else plain}"


def results(metric: str) -> Mapping[str, str]:
    """The fields of an outcome that become metrics, by their names in MLflow."""
    return {
        metric_name("validation", metric): "validation",
        "validation/loss": "validation_loss",
        metric_name("test", metric): "test",
        "max_lr": "max_lr",
    }


def curve_points(phase: Phase, curve: Curve, started_at: float) -> list[Point]:
    """The curve as points, dated by the time of each step; ``started_at`` is the Unix time of the phase's start.

    Values that are not finite are left out: MLflow stores infinity as 1.8e308 and fails on NaN. They are kept in
    ``curves.parquet``.
    """
    at = ((started_at + curve.elapsed_s) * 1000).astype(np.int64).tolist()
    steps = curve.step.astype(np.int64).tolist()
    return [
        Point(f"{phase}/{name}", value, at[row], steps[row])
        for name in SERIES[phase]
        for row, value in enumerate(_column(curve, name).tolist())
        if math.isfinite(value)
    ]


def _column(curve: Curve, name: str) -> Column:
    if name != "log10_lr":
        return cast(Column, getattr(curve, name))
    with np.errstate(divide="ignore"):  # a linear ramp may begin at 0
        return np.log10(curve.lr)


def result_points(outcome: TrialOutcome, ended_at: float, metric: str) -> list[Point]:
    """The results of a trial as one point each; unknown and infinite ones are left out."""
    values = {key: getattr(outcome, name) for key, name in results(metric).items()}
    return [
        Point(key, float(value), int(ended_at * 1000), outcome.steps)
        for key, value in values.items()
        if value is not None and math.isfinite(value)
    ]


def follow(block: Curve, last_step: float) -> Curve:
    """The block, renumbered to follow ``last_step`` if its steps start at or before it, as a second ramp's do."""
    overlap = last_step + 1 - block.step[0]
    return replace(block, step=block.step + overlap) if overlap > 0 else block
