"""How the figures of report.html look, and how words get into them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from textwrap import shorten
from typing import Any

import plotly.graph_objects as go

from superconv_tune.reporting.sentences import number, one_line

INK, MUTED, GRID = "#1f2933", "#52606d", "#e4e7eb"
BLUE, ORANGE, GREEN, RED = "#0b63b0", "#c2570c", "#177245", "#b42318"
PALE_GREEN = "#a9d5bd"
# Okabe and Ito, "Color Universal Design" (2008), darkened for thin lines on white.
RUNS = ("#0b63b0", "#c2570c", "#177245", "#9c3587", "#6b5b00", "#007c91", "#8a3b12", "#4b4b9f")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
LABEL_CHARACTERS = 48


def layout(height: int, top: int = 48) -> go.Layout:
    """The house style as a template, so that it holds for every axis; ``top`` pixels leave room for a legend."""
    axis = {
        "gridcolor": GRID,
        "linecolor": MUTED,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "automargin": True,
        "title": {"font": {"size": 14}},
    }
    style = go.Layout(
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        xaxis=axis,
        yaxis=axis,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hoverlabel={"font": {"family": FONT}},
        modebar={"orientation": "v"},
    )
    margin = {"l": 70, "r": 48, "t": top, "b": 60}
    return go.Layout(template=go.layout.Template(layout=style), height=height, margin=margin)


def label(text: str) -> str:
    """User's words for a plotly text: shown as they are, never read as markup, and not longer than a figure bears."""
    return escape(shorten(one_line(text), LABEL_CHARACTERS, placeholder="…"), quote=False)


def error_bars(triples: Sequence[tuple[float, float, float]], color: str) -> dict[str, Any]:
    """Plotly's error bars of (value, low, high); an end that is not known has no bar."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [_drawable(high - value) for value, _, high in triples],
        "arrayminus": [_drawable(value - low) for value, low, _ in triples],
        "color": color,
        "thickness": 1.5,
    }


def _drawable(length: float) -> float:
    """An interval that is not known has no length on paper."""
    return length if math.isfinite(length) else 0.0


def ticks(values: Sequence[float]) -> dict[str, Any]:
    """Ticks at the lengths themselves where those are few, else plotly's own."""
    return {"tickvals": values, "ticktext": [number(value) for value in values]} if 0 < len(values) <= 10 else {}
