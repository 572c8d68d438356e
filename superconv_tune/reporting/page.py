"""HTML pages that need no network: the drawing library, the figures and the style are embedded."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from superconv_tune.core.words import number
from superconv_tune.reporting.sentences import duration

PACKAGE = "superconv_tune.reporting"


@dataclass(frozen=True)
class Panel:
    """What is written around a figure of a page.

    Attributes:
        key: the figure's HTML id.
        title: heading above it.
        caption: text below it.
        missing: text that replaces it if there is nothing to draw.
    """

    key: str
    title: str
    caption: str
    missing: str


@dataclass(frozen=True)
class Drawn:
    """A figure of a page with its texts.

    Attributes:
        panel: the texts.
        drawing: plotly's JSON; None if there is nothing to draw.
        height: height in pixels; None if there is nothing to draw.
    """

    panel: Panel
    drawing: str | None
    height: int | None


def drawn(panel: Panel, figure: go.Figure | None) -> Drawn:
    """A figure with its texts, ready for the templates."""
    if figure is None:
        return Drawn(panel, None, None)
    # plotly writes <, > and / as \u escapes, so that no text of a figure can end the script element around it.
    return Drawn(panel, figure.to_json(engine="json"), figure.layout.height)


def render(template: str, **context: object) -> str:
    """A page from one of the templates.

    Everything from the user is escaped, and the page's content security policy allows no network and no other script.
    """
    scripts = [get_plotlyjs(), _asset("page.js")]
    environment = Environment(loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"number": number, "duration": duration}
    return environment.get_template(template).render(
        style=_asset("page.css"), scripts=scripts, script_hashes=[_hash(script) for script in scripts], **context
    )


def _asset(file: str) -> str:
    return resources.files(PACKAGE).joinpath("templates", file).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The hash by which a content security policy allows a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
