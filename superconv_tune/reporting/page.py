"""Pages that need no network: the drawing library, the figures and the style are inside."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from superconv_tune.reporting.sentences import duration, number

PACKAGE = "superconv_tune.reporting"


@dataclass(frozen=True)
class Drawn:
    """One figure of a page.

    Attributes:
        key: its place on the page.
        title: above it.
        caption: below it.
        missing: what stands in for it where there is nothing to draw.
        drawing: plotly's JSON; None where there is nothing to draw.
        height: in pixels; None where there is nothing to draw.
    """

    key: str
    title: str
    caption: str
    missing: str
    drawing: str | None
    height: int | None


def drawn(key: str, title: str, caption: str, missing: str, figure: go.Figure | None) -> Drawn:
    """A figure with its words, as the templates show it."""
    if figure is None:
        return Drawn(key, title, caption, missing, None, None)
    # plotly writes <, > and / as \u escapes, so that no text of a figure can end the script element it stands in.
    return Drawn(key, title, caption, missing, figure.to_json(engine="json"), figure.layout.height)


def render(template: str, **context: object) -> str:
    """A page from one of the templates.

    Everything that came from the user is escaped, and the page forbids itself any network and any script but its own.
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
    """What a content security policy calls a script by: the only scripts that the page will run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
