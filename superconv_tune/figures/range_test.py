"""The figure of a stand-alone range test: the ramps with the pick of every rule, and the probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superconv_tune.core.curve import Curve
from superconv_tune.figures.trial import limit_loss
from superconv_tune.lr.lr_range import smoothed
from superconv_tune.lr.rate_grid import ProbeGrid

SIZE_INCHES = (12.0, 5.0)
DPI = 110


def draw_finding(ramps: Sequence[Curve], probes: ProbeGrid | None, marks: Mapping[str, float], title: str) -> Figure:
    """Loss against learning rate, raw and smoothed, with the picks as lines; beside it the probes, if there are any.

    Args:
        ramps: one raw curve per replicate.
        probes: their worth is minus the loss; None for no probes.
        marks: learning rates to mark, by name.
        title: above the figure.
    """
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    figure.suptitle(title)
    ratios = [1] if probes is None else [3, 2]
    left, *right = figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
    _draw_ramps(left, ramps, marks)
    if probes is not None:
        _draw_probes(right[0], probes)
    return figure


def _draw_ramps(axes: Axes, ramps: Sequence[Curve], marks: Mapping[str, float]) -> None:
    for number, ramp in enumerate(ramps):
        finite = ramp.take(np.isfinite(ramp.loss))
        axes.plot(finite.lr, finite.loss, ".", color="0.8", markersize=3, label=None if number else "loss of a batch")
        axes.plot(finite.lr, smoothed(finite), color="C0", label=None if number else "smoothed, each replicate")
    for number, (name, lr) in enumerate(sorted(marks.items(), key=lambda mark: mark[1])):
        is_ours = name.startswith("max_lr")
        style = {"color": "black", "linewidth": 1.6} if is_ours else {"color": f"C{number % 9 + 1}", "linestyle": "--"}
        axes.axvline(lr, label=f"{name}: {lr:.3g}", **style)
    axes.set_xscale("log")
    axes.set(xlabel="learning rate", ylabel="training loss", title="ramps")
    if ramps:
        limit_loss(axes, Curve.join(ramps))
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5))


def _draw_probes(axes: Axes, probes: ProbeGrid) -> None:
    finite = [(lr, -worth) for lr, worth in zip(probes.rates, probes.worth, strict=True) if np.isfinite(worth)]
    diverged = [lr for lr, worth in zip(probes.rates, probes.worth, strict=True) if not np.isfinite(worth)]
    if finite:
        axes.plot(*zip(*finite, strict=True), "o-", color="C0", label="loss at the end")
    for number, lr in enumerate(diverged):
        axes.axvline(lr, color="C3", linestyle=":", label=None if number else "diverged")
    axes.axvline(probes.best_lr(), color="black", label=f"best peak: {probes.best_lr():.3g}")
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(probes.rates, [f"{lr:.2g}" for lr in probes.rates])
    axes.set(xlabel="max_lr of a complete short cycle", ylabel="validation loss at its end", title="probes")
    axes.legend(fontsize="x-small")
