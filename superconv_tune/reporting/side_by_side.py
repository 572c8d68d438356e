"""Several studies side by side: one page, and a table for the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import plotly.graph_objects as go
from rich.table import Table
from rich.text import Text

from superconv_tune.core.errors import one_line
from superconv_tune.core.words import DASH, number
from superconv_tune.reporting.baseline_words import searched_policy
from superconv_tune.reporting.figure_style import BLUE, GREEN, PALE_GREEN, RED, RUNS, error_bars, label, layout, ticks
from superconv_tune.reporting.findings import Findings, publishable
from superconv_tune.reporting.page import Drawn, Panel, drawn, render
from superconv_tune.reporting.sentences import LABELS, duration, goal, in_words, model_words

CONSOLE = ("study", "question", "verdict", "estimate", "longer cycles", "spent")  # what a terminal has room for


@dataclass(frozen=True)
class _Row:
    """One study as a row of page and console.

    Attributes:
        cells: texts by column.
        word: its verdict, which colours the row.
        report: link to its report.
    """

    cells: Mapping[str, str]
    word: str
    report: str


def render_side_by_side(studies: Sequence[Findings]) -> str:
    """A page with a row for every study, and figures for every metric.

    It links to the report of each study, in the study's folder beside the page.
    """
    alike: dict[str, list[Findings]] = {}
    for findings in studies:
        alike.setdefault(findings.target.metric, []).append(findings)
    return render(
        "side_by_side.html",
        rows=[_row(findings) for findings in studies],
        terms=_terms(studies),
        drawn=[figure for place, found in enumerate(alike.values()) for figure in _figures(place, found)],
    )


def side_by_side_table(studies: Sequence[Findings]) -> Table:
    """The table for the console, with fewer columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in CONSOLE:
        table.add_column(title, overflow="fold")
    for findings in studies:
        cells = _row(findings).cells
        table.add_row(*(Text(one_line(cells[title])) for title in CONSOLE))
    return table


def _row(findings: Findings) -> _Row:
    opened, verdict = findings.study.opened, findings.verdict
    spec = publishable(opened.spec)
    estimate, reachable = verdict.estimate, verdict.reachable
    epochs = findings.confirmations[0].request.params.cycle_epochs if findings.confirmations else None
    cells = {
        "study": opened.name,
        "data": in_words(spec.get("data") or spec.get("task")),
        "model": model_words(spec.get("model")),
        "policy": searched_policy(findings),
        "question": goal(findings.target),
        "verdict": LABELS[verdict.word],
        "estimate": _with_interval(estimate.value, estimate.low, estimate.high) if estimate else DASH,
        "longer cycles": _with_interval(reachable.value, reachable.low, reachable.high) if reachable else DASH,
        "epochs": number(epochs, 3),
        "spent": f"{duration(findings.used_s)} of {duration(findings.limit_s)}",
    }
    return _Row(cells, verdict.word or "measured", f"{quote(opened.name)}/report.html")


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{number(value)} ({number(low)} to {number(high)})"


def _terms(studies: Sequence[Findings]) -> str:
    """What a reader needs to know before comparing numbers."""
    prints = {publishable(each.study.opened.environment).get("data", {}).get("fingerprint") for each in studies}
    data = "All studies saw the same data." if len(prints - {None}) == 1 else "The studies saw different data."
    return (
        f"{data} Every verdict holds for its own question, data and budget. Estimate: metric of fresh models of the "
        "recipe on the test part, with its interval. Longer cycles: what they are expected to reach."
    )


def _figures(place: int, studies: Sequence[Findings]) -> list[Drawn]:
    """The figures of studies with the same metric; ``place`` numbers the metrics of the page."""
    metric = studies[0].target.metric
    return [
        drawn(
            Panel(
                f"standings-{place}",
                f"What was reached: {metric}",
                "Blue: the estimate of each study with its interval, from fresh models on the test part. Green, behind "
                "it: what longer cycles are expected to reach. Red: the target.",
                "No study has confirmed a recipe.",
            ),
            _standings(metric, studies),
        ),
        drawn(
            Panel(
                f"lengths-{place}",
                f"What longer training bought: {metric}",
                "The best search trial of every cycle length, on the validation part of its study.",
                "No cycle has finished; families that are fitted, such as trees, have none.",
            ),
            _lengths(metric, studies),
        ),
    ]


def _standings(metric: str, studies: Sequence[Findings]) -> go.Figure | None:
    estimated = [each for each in reversed(studies) if each.verdict.estimate is not None]
    if not estimated:
        return None
    figure = go.Figure(layout=layout(height=110 + 48 * len(estimated), top=16))
    for findings in estimated:
        name, verdict, target = label(findings.study.opened.name), findings.verdict, findings.target.value
        broad = {"thickness": 8, "width": 0}  # so that the estimate, drawn over it, stays visible
        for found, color, size, bar in ((verdict.reachable, PALE_GREEN, 8, broad), (verdict.estimate, BLUE, 10, {})):
            if found is not None:
                figure.add_scatter(
                    x=[found.value],
                    y=[name],
                    error_x=error_bars([(found.value, found.low, found.high)], color) | bar,
                    mode="markers",
                    marker={"size": size, "color": GREEN if bar else color},
                    showlegend=False,
                    hovertemplate="%{y}: %{x:.4g}<extra></extra>",
                )
        if target is not None:
            figure.add_scatter(
                x=[target],
                y=[name],
                mode="markers",
                marker={"size": 22, "symbol": "line-ns-open", "color": RED, "line": {"width": 2, "color": RED}},
                showlegend=False,
                hovertemplate="%{y}: target %{x:.4g}<extra></extra>",
            )
    figure.update_xaxes(title_text=f"{label(metric)}, test part")
    return figure


def _lengths(metric: str, studies: Sequence[Findings]) -> go.Figure | None:
    laddered = [each for each in studies if each.ladder]
    if not laddered:
        return None
    figure = go.Figure(layout=layout(height=420))
    for index, findings in enumerate(laddered):
        rungs, color = findings.ladder, RUNS[index % len(RUNS)]
        figure.add_scatter(
            x=[rung.epochs for rung in rungs],
            y=[rung.value for rung in rungs],
            error_y=error_bars([(rung.value, rung.low, rung.high) for rung in rungs], color),
            mode="lines+markers",
            name=label(findings.study.opened.name),
            line={"color": color},
            hovertemplate="%{x:g} epochs: %{y:.4g}<extra></extra>",
        )
    figure.update_layout(showlegend=True)
    lengths = sorted({rung.epochs for findings in laddered for rung in findings.ladder})
    figure.update_xaxes(title_text="cycle length (epochs, log scale)", type="log", **ticks(lengths))
    figure.update_yaxes(title_text=f"{label(metric)}, validation part")
    return figure
