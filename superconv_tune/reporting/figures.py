"""The figures of report.html, as plotly figures; None if there is nothing to draw.

Texts of the user (metric, schedule, trial names) pass through `label`, because plotly reads some HTML in its texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from superconv_tune.core.curve import Curve
from superconv_tune.core.words import number, percent
from superconv_tune.record.trial import Cycle, Trial
from superconv_tune.reporting.baseline_words import prose, searched_policy
from superconv_tune.reporting.figure_style import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    RED,
    RUNS,
    error_bars,
    label,
    layout,
    ticks,
)
from superconv_tune.reporting.findings import Findings

MAX_RAMPS = 12  # more lines than this hide one another
MAX_RUNS = len(RUNS)
BESIDE = 1.06  # fresh seeds are drawn a little to the right of the search trials of their length, the estimate further
LOSS_HEADROOM = 1.35  # the loss axis ends at this multiple of the drop from the first to the lowest loss


def ladder(findings: Findings) -> go.Figure | None:
    """Metric against cycle length: every finished trial, the rungs, the confirmed recipe and the target."""
    searched, confirmed = finished(findings), _confirmed_cycles(findings)
    if not searched and not confirmed:
        return None
    figure = go.Figure(layout=layout(height=440))
    _add_search_trials(figure, searched)
    _add_rungs(figure, findings)
    _add_confirmed(figure, findings)
    _add_longer(figure, findings)
    _add_target(figure, findings)
    reachable = findings.verdict.reachable
    lengths = sorted(
        {trial.request.params.cycle_epochs for trial in searched + confirmed}
        | ({reachable.epochs} if reachable else set())
    )
    figure.update_xaxes(title_text="cycle length (epochs, log scale)", type="log", **ticks(lengths))
    figure.update_yaxes(title_text=label(findings.target.metric), range=_metric_range(findings))
    return figure


def range_tests(findings: Findings) -> go.Figure | None:
    """Loss against learning rate of each ramp, the stable band and the pick."""
    ramps = ramped(findings)
    if not ramps:
        return None
    figure = go.Figure(layout=layout(height=400, top=16))
    for trial_id, curve in ramps:
        again = (
            np.flatnonzero(np.diff(curve.lr) < 0.0) + 1
        )  # breaks the line where the fine ramp begins at a lower rate
        figure.add_scatter(
            x=np.insert(curve.lr, again, np.nan),
            y=np.insert(curve.loss, again, np.nan),
            mode="lines",
            line={"width": 1.2, "color": BLUE},
            opacity=max(0.3, 1 / len(ramps)),
            showlegend=False,
            hovertemplate="LR %{x:.3g}<br>loss %{y:.4g}<extra>" + label(trial_id) + "</extra>",
        )
    figure.update_xaxes(title_text="learning rate (log scale)", type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(title_text="training loss of the batch", range=_loss_range([curve for _, curve in ramps]))
    _add_pick(figure, findings)
    return figure


def baselines(findings: Findings) -> go.Figure | None:
    """Metric of every policy at its best rate, with its interval, and of the searched one at the same length."""
    if not findings.baselines:
        return None
    first = findings.baselines[0]
    rows = [(prose(b.schedule), b.value, b.low, b.high, BLUE) for b in findings.baselines]
    rows.append((searched_policy(findings), first.rival, first.rival_low, first.rival_high, ORANGE))
    figure = go.Figure(layout=layout(height=110 + 44 * len(rows), top=16))
    for name, value, low, high, color in rows:
        figure.add_scatter(
            x=[value],
            y=[label(name)],
            error_x=error_bars([(value, low, high)], color),
            mode="markers",
            marker={"size": 10, "color": color},
            showlegend=False,
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
        )
    length = f"{number(first.epochs)} epochs, validation part"
    figure.update_xaxes(title_text=f"{label(findings.target.metric)} after {length}")
    return figure


def cycles(findings: Findings) -> go.Figure | None:
    """Loss, learning rate and momentum of the winner's cycle and of the confirmations, step by step."""
    runs = cycled(findings)
    if not runs:
        return None
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.5, 0.25, 0.25])
    figure.update_layout(layout(height=640))
    for color, (name, curve) in zip(RUNS, runs, strict=False):
        _add_cycle(figure, curve, label(name), color)
    positive = not any((curve.loss <= 0).any() for _, curve in runs)
    loss_axis = {"type": "log", "dtick": "D2", "tickformat": "~g"} if positive else {"type": "linear"}
    figure.update_yaxes(title_text="training loss", row=1, col=1, **loss_axis)
    figure.update_yaxes(title_text="learning rate", rangemode="tozero", row=2, col=1)
    figure.update_yaxes(title_text="momentum", row=3, col=1)
    figure.update_xaxes(title_text="optimizer step", row=3, col=1)
    return figure


def importance(findings: Findings) -> go.Figure | None:
    """Importance of each hyperparameter that was searched, in percent."""
    if not findings.importance:
        return None
    ranked = sorted(findings.importance.items(), key=lambda item: item[1])
    names, percents = [label(name) for name, _ in ranked], [100.0 * share for _, share in ranked]
    texts = [f"{each:.0f} %" for each in percents]
    figure = go.Figure(layout=layout(height=90 + 34 * len(names), top=16))
    figure.add_bar(x=percents, y=names, orientation="h", marker_color=BLUE, text=texts, textposition="outside")
    figure.update_traces(cliponaxis=False, hovertemplate="%{y}: %{text}<extra></extra>")
    figure.update_xaxes(title_text="share of the variation explained", ticksuffix=" %", rangemode="tozero")
    figure.update_yaxes(showgrid=False)
    return figure


def time_spent(findings: Findings) -> go.Figure | None:
    """Worker-seconds by kind of trial and by activity, idle time included."""
    spent = worker_seconds(findings)
    if not spent:
        return None
    colors = {
        "training": BLUE,
        "evaluation": GREEN,
        "range tests": ORANGE,
        "set-up and waiting": "#9aa5b1",
        "idle": "#d7dce1",
    }
    rows = list(spent)[::-1]
    figure = go.Figure(layout=layout(height=110 + 38 * len(rows)))
    for activity, color in colors.items():
        seconds = [spent[row].get(activity, 0.0) for row in rows]
        hover = "%{y}, " + activity + ": %{x:.1f} s<extra></extra>"
        figure.add_bar(x=seconds, y=rows, name=activity, orientation="h", marker_color=color, hovertemplate=hover)
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(title_text="worker-seconds")
    figure.update_yaxes(showgrid=False)
    return figure


def finished(findings: Findings) -> list[Trial]:
    """Search trials with a metric, of the recipe's network; of all networks if the recipe is none."""
    lead = findings.study if findings.study.lead.is_fitted else findings.study.lead
    return [trial for trial in lead.trials("search") if trial.outcome.validation is not None]


def _confirmed_cycles(findings: Findings) -> list[Trial]:
    """Fresh models of a recipe that is trained in cycles."""
    return [trial for trial in findings.confirmations if isinstance(trial.request.work, Cycle)]


def ramped(findings: Findings) -> list[tuple[str, Curve]]:
    """The ramps that are drawn, by trial: those of the range tests first, then the trials' own."""
    trials = findings.study.trials("range_test") + findings.study.trials("search", "baseline")
    ramps = [(trial.request.trial_id, trial.outcome.range_curve) for trial in trials]
    return [(name, curve) for name, curve in ramps if curve is not None and len(curve)][:MAX_RAMPS]


def cycled(findings: Findings) -> list[tuple[str, Curve]]:
    """The cycles of the winner and of its confirmations, by name."""
    trials = ([findings.winner] if findings.winner else []) + findings.confirmations
    runs = [(f"{t.request.trial_id} (seed {t.request.seed})", t.outcome.cycle_curve) for t in trials]
    return [(name, curve) for name, curve in runs if curve is not None and len(curve)][:MAX_RUNS]


def worker_seconds(findings: Findings) -> dict[str, dict[str, float]]:
    """Worker-seconds by kind of trial, then by activity; the last row is the time that no trial used."""
    spent: dict[str, dict[str, float]] = {}
    for trial in findings.study.trials():
        outcome = trial.outcome
        row = spent.setdefault(trial.request.kind.replace("_", " "), {})
        parts = {"training": outcome.train_s, "evaluation": outcome.eval_s, "range tests": outcome.range_test_s}
        rest = max(0.0, outcome.wall_s - sum(parts.values()))
        for activity, seconds in (parts | {"set-up and waiting": rest}).items():
            row[activity] = row.get(activity, 0.0) + seconds
    busy = sum(sum(row.values()) for row in spent.values())
    return spent | {"no trial": {"idle": max(0.0, findings.worker_s - busy)}} if spent else {}


def _add_search_trials(figure: go.Figure, searched: Sequence[Trial]) -> None:
    figure.add_scatter(
        x=[trial.request.params.cycle_epochs for trial in searched],
        y=[trial.outcome.validation for trial in searched],
        mode="markers",
        name="search trial (validation)",
        marker={"size": 9, "color": "rgba(11,99,176,0.35)", "line": {"color": BLUE, "width": 1}},
        text=[label(trial.request.trial_id) for trial in searched],
        customdata=[number(trial.outcome.max_lr) for trial in searched],
        hovertemplate="%{text}<br>%{x:g} epochs<br>%{y:.4g}<br>max_lr %{customdata}<extra></extra>",
    )


def _add_rungs(figure: go.Figure, findings: Findings) -> None:
    rungs = findings.ladder
    figure.add_scatter(
        x=[rung.epochs for rung in rungs],
        y=[rung.value for rung in rungs],
        error_y=error_bars([(rung.value, rung.low, rung.high) for rung in rungs], MUTED),
        mode="lines+markers",
        name="best of each length",
        line={"color": MUTED, "width": 1.5, "dash": "dot"},
        marker={"size": 5, "color": MUTED},
        hovertemplate="best at %{x:g} epochs: %{y:.4g}<extra></extra>",
    )


def _add_confirmed(figure: go.Figure, findings: Findings) -> None:
    tested = [trial for trial in _confirmed_cycles(findings) if trial.outcome.test is not None]
    if not tested:
        return
    epochs = [trial.request.params.cycle_epochs for trial in tested]
    figure.add_scatter(
        x=[BESIDE * length for length in epochs],
        y=[trial.outcome.test for trial in tested],
        mode="markers",
        name="fresh seed (test)",
        marker={"size": 10, "symbol": "diamond", "color": ORANGE, "line": {"color": "white", "width": 1}},
        text=[f"seed {trial.request.seed}" for trial in tested],
        hovertemplate="%{text}<br>test %{y:.4g}<extra></extra>",
    )
    estimate = findings.verdict.estimate
    if estimate is not None:
        figure.add_scatter(
            x=[BESIDE**2 * epochs[0]],
            y=[estimate.value],
            error_y=error_bars([(estimate.value, estimate.low, estimate.high)], ORANGE),
            mode="markers",
            name=f"estimate with {percent(estimate.level)} interval",
            marker={"size": 11, "symbol": "line-ew-open", "color": ORANGE, "line": {"width": 3}},
            hovertemplate="estimate %{y:.4g}<extra></extra>",
        )


def _add_longer(figure: go.Figure, findings: Findings) -> None:
    """The recipe at shorter lengths on all data, and what longer cycles are expected to reach."""
    scaled = [trial for trial in findings.study.lead.trials("scaling") if trial.outcome.validation is not None]
    repeated = [trial for trial in scaled if trial.request.cycle.data_share == 1.0]
    if repeated:
        figure.add_scatter(
            x=[trial.request.params.cycle_epochs / BESIDE for trial in repeated],
            y=[trial.outcome.validation for trial in repeated],
            mode="markers",
            name="recipe at other lengths (validation)",
            marker={"size": 8, "symbol": "square", "color": GREEN},
            hovertemplate="recipe, %{x:g} epochs: %{y:.4g}<extra></extra>",
        )
    reachable = findings.verdict.reachable
    if reachable is not None:
        figure.add_scatter(
            x=[reachable.epochs],
            y=[reachable.value],
            error_y=error_bars([(reachable.value, reachable.low, reachable.high)], GREEN),
            mode="markers",
            name=f"expected of longer cycles, {percent(reachable.level)} interval",
            marker={"size": 11, "symbol": "line-ew-open", "color": GREEN, "line": {"width": 3}},
            hovertemplate="up to %{x:g} epochs: %{y:.4g}<extra></extra>",
        )


def _add_target(figure: go.Figure, findings: Findings) -> None:
    value = findings.target.value
    if value is not None:
        higher = findings.target.yardstick.higher_is_better
        text, side = f"target {number(value)}", "top left" if higher else "bottom left"
        figure.add_hline(
            y=value,
            line={"color": RED, "width": 1.5, "dash": "dash"},
            annotation={"text": text, "font": {"color": RED}},
            annotation_position=side,
        )


def _add_pick(figure: go.Figure, findings: Findings) -> None:
    result = findings.range_test
    if result is None or result.refusal is not None:
        return
    figure.add_vrect(x0=result.min_lr, x1=result.lr_at_minimum, fillcolor="#e8f1fa", line_width=0, layer="below")
    marks = (
        ("edge", result.edge, MUTED, 1.0),
        ("lowest loss", result.lr_at_minimum, BLUE, 0.93),
        ("pick", result.max_lr, RED, 0.86),
    )
    for name, lr, color, height in marks:
        if not (np.isfinite(lr) and lr > 0):
            continue  # a ramp whose loss never rose again shows no edge
        figure.add_vline(x=lr, line={"color": color, "width": 1.5, "dash": "dash" if name != "pick" else "solid"})
        text = f"{name} {number(lr)}"
        where = {
            "x": float(np.log10(lr)),
            "xref": "x",
            "xanchor": "left",
            "y": height,
            "yref": "paper",
            "yanchor": "top",
        }
        figure.add_annotation(
            text=text, showarrow=False, font={"color": color}, bgcolor="rgba(255,255,255,0.8)", **where
        )


def _add_cycle(figure: go.Figure, curve: Curve, name: str, color: str) -> None:
    group = {"legendgroup": name, "mode": "lines", "hovertemplate": "step %{x}: %{y:.4g}<extra>" + name + "</extra>"}
    faint = {"color": color, "width": 1}
    strong = {"color": color, "width": 2}
    figure.add_scatter(x=curve.step, y=curve.loss, line=faint, opacity=0.25, showlegend=False, row=1, col=1, **group)
    figure.add_scatter(x=curve.step, y=_smooth(curve.loss), name=name, line=strong, row=1, col=1, **group)
    for row, column in ((2, curve.lr), (3, curve.momentum)):
        figure.add_scatter(x=curve.step, y=column, line=strong, showlegend=False, row=row, col=1, **group)


def _metric_range(findings: Findings) -> tuple[float, float] | None:
    """The metric axis, from the worse quartile to the best value, so that a bad trial does not stretch it."""
    yardstick = findings.target.yardstick
    values = np.array([trial.outcome.validation for trial in finished(findings)], dtype=np.float64)
    worse = [np.quantile(values, 0.25 if yardstick.higher_is_better else 0.75)] if len(values) else []
    best = [yardstick.best(values)] if len(values) else []
    marks = [*worse, *best, *(trial.outcome.test for trial in findings.confirmations)]
    marks += [end for rung in findings.ladder for end in (rung.value, rung.low, rung.high)]
    estimate = findings.verdict.estimate
    marks += [estimate.low, estimate.high] if estimate is not None else []
    reachable = findings.verdict.reachable
    marks += [reachable.low, reachable.high] if reachable is not None else []
    known = [mark for mark in [*marks, findings.target.value] if mark is not None and np.isfinite(mark)]
    if not known:
        return None
    pad = 0.08 * (max(known) - min(known)) or 0.01 * abs(known[0]) or 0.01
    return float(min(known) - pad), float(max(known) + pad)


def _loss_range(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """The loss axis, up to a little above the first losses: a ramp ends where the loss explodes."""
    finite = [loss for loss in (curve.loss[np.isfinite(curve.loss)] for curve in curves) if len(loss)]
    if not finite:
        return None
    low = min(float(loss.min()) for loss in finite)
    first = max(float(np.median(loss[:10])) for loss in finite)
    high = low + LOSS_HEADROOM * max(first - low, 1e-9)
    return low - 0.05 * (high - low), high


def _smooth(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moving average over a fiftieth of the curve, shorter at its ends; losses that are not finite are skipped."""
    window = np.ones(max(1, len(loss) // 50))
    finite = np.isfinite(loss)
    total = np.convolve(np.where(finite, loss, 0.0), window, mode="same")
    count = np.convolve(finite.astype(np.float64), window, mode="same")
    average: NDArray[np.float64] = np.divide(total, count, out=np.full(len(loss), np.nan), where=count > 0)
    return average
