"""What a search found, for a program or a notebook."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from superconv_tune.core.errors import one_line
from superconv_tune.kept.predictor import Predictor, load
from superconv_tune.reporting import recipe_yaml
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.summary import headline, rows, summary
from superconv_tune.reporting.verdict_json import verdict_json
from superconv_tune.spec.files import expanded
from superconv_tune.spec.recipe_file import recipe_text
from superconv_tune.study.render import findings_from_journal
from superconv_tune.verdict.verdict import Estimate

LEFT = 'style="text-align:left"'
NO_CURVES = ""  # of the summary: where they are is said when the search ends


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """What one search found.

    In a notebook it shows itself as a table; ``print(study)`` is the summary of the command.

    Attributes:
        folder: the folder of verdict.json, report.html, recipe.yaml, tables and log.
        findings: everything, as plain values: trials, ladder, range test, comparisons.
        interrupted: whether the user ended the search early; what was found until then is here.
    """

    folder: Path
    findings: Findings = field(repr=False)
    interrupted: bool = False

    @staticmethod
    def open(name: str, output: str | Path = "runs", storage: str | None = None) -> Study:
        """A study of an earlier search, from its journal.

        Args:
            name: name of the study.
            output: folder of all studies.
            storage: database URL of the journal; None for the file in ``output``.

        Raises:
            UserError: if there is no such study.
        """
        findings, found = findings_from_journal(name, str(expanded(output)), storage)
        closed = found.study.closed
        return Study(found.where.folder, findings, closed is not None and closed.reason == "interrupted")

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.findings.study.opened.name

    @property
    def verdict(self) -> str | None:
        """``demonstrated``, ``likely``, ``undecided`` or ``infeasible``; None if no target was asked for."""
        return self.findings.verdict.word

    @property
    def estimate(self) -> Estimate | None:
        """What a fresh model of the recipe reaches on fresh data, with its interval; None if nothing was confirmed."""
        return self.findings.verdict.estimate

    @property
    def recipe(self) -> Mapping[str, Any] | None:
        """The content of recipe.yaml, which ``train`` and ``verify`` read; None if no trial finished."""
        winner = self.findings.winner
        if winner is None:
            return None
        content: dict[str, Any] = yaml.safe_load(recipe_text(recipe_yaml.recipe(self.findings, winner)))
        return content

    def model(self, *, ensemble: bool = False) -> Predictor:
        """The kept model that validated best, or all kept models together.

        Raises:
            UserError: if none was kept.
        """
        return load(self.folder, ensemble=ensemble)

    def predict(self, items: Any) -> Any:
        """What the kept model that validated best says of new items; see `Predictor.predict`.

        Raises:
            UserError: if none was kept, or the items cannot be read.
        """
        return self.model().predict(items)

    @property
    def details(self) -> dict[str, Any]:
        """The content of verdict.json."""
        return verdict_json(self.findings)

    def leaderboard(self) -> pd.DataFrame:
        """The families of models that competed, the best first: what each reached, where, and in how many seconds."""
        return pd.DataFrame(self.details["leaderboard"])

    def report(self, *, show: bool = False) -> Path:
        """The report, one HTML page; with ``show`` it opens in the browser."""
        page = self.folder / "report.html"
        if show:
            webbrowser.open(page.absolute().as_uri())
        return page

    def __str__(self) -> str:
        return summary(self.findings, self.folder, NO_CURVES)

    def __repr__(self) -> str:
        return f"<Study {self.name!r}: {one_line(headline(self.findings))}>"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        shown = rows(self.findings, self.folder, NO_CURVES)
        cells = (
            (f"<th {LEFT}>{escape(name)}</th>", f"<td {LEFT}>{_linked(name, words)}</td>")
            for name, words in shown.items()
        )
        lines = "".join(f"<tr>{name}{words}</tr>" for name, words in cells)
        return f"<p><b>{escape(one_line(headline(self.findings)))}</b></p><table>{lines}</table>"


def _linked(name: str, words: str) -> str:
    """The words; as a link for the report, which a notebook's server shows if it is below its folder."""
    words = escape(one_line(words))
    return f'<a href="{words}" target="_blank">{words}</a>' if name == "report" else words
