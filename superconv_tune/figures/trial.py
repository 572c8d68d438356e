"""The two still figures of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superconv_tune.core.curve import Curve
from superconv_tune.lr.lr_range import smoothed, split_ramps
from superconv_tune.record.trial import TrialOutcome

# Drawing delays the next trial, so it is made twice as fast as usual: few pixels, no minor ticks, tick labels without
# mathtext, a title at a fixed place, fast compression.
SIZE_INCHES = (6.4, 4.0)
DPI = 80
PNG = {"compress_level": 1}
MAX_DRAWN = 2000


def draw_range_test(path: Path, curve: Curve, outcome: TrialOutcome) -> None:
    """Loss against learning rate on a logarithmic axis, raw and smoothed, with the rates that were found."""
    figure, axes = _new_figure()
    drawn = curve.thin(MAX_DRAWN)
    axes.plot(drawn.lr, drawn.loss, ".", color="0.7", markersize=3, label="loss of the batch")
    for number, ramp in enumerate(split_ramps(curve.take(np.isfinite(curve.loss)))):
        axes.plot(ramp.lr, smoothed(ramp), color="C0", label=None if number else "smoothed")
    for number, (name, lr) in enumerate(marks(outcome).items(), start=1):
        axes.axvline(lr, color=f"C{number}", linestyle="--", label=f"{name} {lr:.3g}")
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="learning rate", ylabel="training loss")
    axes.set_title(f"{outcome.trial_id}: learning-rate range test", y=1.0)
    limit_loss(axes, curve)
    axes.legend(fontsize="small")
    figure.savefig(path, pil_kwargs=PNG)


def draw_cycle(path: Path, curve: Curve, outcome: TrialOutcome) -> None:
    """Loss and learning rate against the optimizer step."""
    figure, axes = _new_figure()
    drawn = curve.thin(MAX_DRAWN)
    (loss,) = axes.plot(drawn.step, drawn.loss, color="C0", linewidth=0.8, label="loss of the batch")
    axes.set(xlabel="optimizer step", ylabel="training loss")
    axes.set_title(f"{outcome.trial_id}: {outcome.status}", y=1.0)
    limit_loss(axes, curve)
    right = axes.twinx()
    (lr,) = right.plot(drawn.step, drawn.lr, color="C1", label="learning rate")
    right.set_ylabel("learning rate")
    axes.legend(handles=[loss, lr], fontsize="small")
    figure.savefig(path, pil_kwargs=PNG)


def _new_figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI)
    axes = figure.subplots(gridspec_kw={"bottom": 0.14})
    return figure, axes


def marks(outcome: TrialOutcome) -> Mapping[str, float]:
    """The learning rates to mark in the figure, by name; none if the range test found none."""
    found = outcome.range_test
    if found is None or found.refusal is not None:
        return {}
    named = {"lr_at_minimum": found.lr_at_minimum, "edge": found.edge, "pick": outcome.max_lr or found.max_lr}
    return {name: lr for name, lr in named.items() if lr > 0}


def limit_loss(axes: Axes, curve: Curve) -> None:
    """Cut the loss axis as far above the first losses as the lowest is below them: divergence would hide the rest."""
    finite = curve.loss[np.isfinite(curve.loss)]
    if len(finite) == 0:
        return
    start = np.median(finite[: max(1, len(finite) // 10)])
    lowest, top = finite.min(), min(finite.max(), 2 * start - finite.min())
    if top > lowest:
        axes.set_ylim(lowest - 0.05 * (top - lowest), top + 0.05 * (top - lowest))
