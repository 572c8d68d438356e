"""The style of the figures in report.html, and safe texts for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from superconv_tune.core.errors import one_line
from superconv_tune.core.words import number

INK, MUTED, GRID = "#1f2933", "#52606d", "#e4e7eb"
BLUE, ORANGE, GREEN, RED = "#0b63b0", "#c2570c", "#177245", "#b42318"
PALE_GREEN = "#a9d5bd"
# Okabe and Ito, "Color Universal Design" (2008), darkened for thin lines on white.
RUNS = ("#0b63b0", "#c2570c", "#177245", "#9c3587", "#6b5b00", "#007c91", "#8a3b12", "#4b4b9f")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
LABEL_CHARACTERS = 48


def layout(height: int, top: int = 48) -> go.Layout:
    """A layout with the style as a template, which applies to every axis; ``top`` pixels leave room for a legend."""
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
    """A user's text for a figure: escaped, so that plotly does not read it as markup; if long, without its middle.

    Both ends stay, because plotly draws equal labels as one, and names of studies that begin alike end in their time.
    """
    words, half = " ".join(one_line(text).split()), LABEL_CHARACTERS // 2
    return escape(words if len(words) <= LABEL_CHARACTERS else f"{words[:half]}…{words[1 - half :]}", quote=False)


def error_bars(triples: Sequence[tuple[float, float, float]], color: str) -> dict[str, Any]:
    """Plotly's error bars for triples (value, low, high); an unknown end gets no bar."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [_drawable(high - value) for value, _, high in triples],
        "arrayminus": [_drawable(value - low) for value, low, _ in triples],
        "color": color,
        "thickness": 1.5,
    }


def _drawable(length: float) -> float:
    """The length, or 0 if it is not finite."""
    return length if math.isfinite(length) else 0.0


def ticks(values: Sequence[float]) -> dict[str, Any]:
    """Axis options with a tick at each value if there are few, else plotly's own ticks."""
    return {"tickvals": values, "ticktext": [number(value) for value in values]} if 0 < len(values) <= 10 else {}
