from __future__ import annotations

import re
from copy import copy
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.side_by_side import render_side_by_side, side_by_side_table
from tests.reporting.test_report import Page, browse, needs_chromium


def named(findings: Findings, name: str, **environment: object) -> Findings:
    """The same under another name, and in another environment."""
    study = copy(findings.study)
    study.opened = replace(study.opened, name=name, environment={**study.opened.environment, **environment})
    return replace(findings, study=study)


@pytest.fixture(scope="module")
def studies(findings: Findings, regression_findings: Findings, empty_findings: Findings) -> list[Findings]:
    """Two questions on accuracy, of which one has no answer yet, and one on an error."""
    return [findings, named(regression_findings, "prices"), named(empty_findings, "begun")]


def test_every_study_has_a_row_that_leads_to_its_report(studies: list[Findings]) -> None:
    page = Page(render_side_by_side(studies))
    assert [address for address in page.addresses if not address.startswith("data:")] == [
        "fashion-mnist-92/report.html",
        "prices/report.html",
        "begun/report.html",
    ]
    assert "3 studies side by side" in page.text
    assert "accuracy of at least 0.92 Demonstrated 0.9247 (0.9218 to 0.9275)" in page.text
    assert "the best mean_absolute_error" in page.text


def test_metrics_are_not_drawn_into_one_figure(studies: list[Findings]) -> None:
    text = Page(render_side_by_side(studies)).text
    assert text.count("What was reached: accuracy") == 1
    assert text.count("What was reached: mean_absolute_error") == 1


def test_whether_studies_saw_the_same_data_is_told(findings: Findings) -> None:
    first, again, other = (named(findings, f"study-{of}", data={"fingerprint": of[0]}) for of in ("a1", "a2", "b"))
    assert "All studies saw the same data." in Page(render_side_by_side([first, again])).text
    assert "The studies saw different data." in Page(render_side_by_side([first, other])).text


def test_where_nothing_was_confirmed_the_page_says_so(empty_findings: Findings) -> None:
    text = Page(render_side_by_side([empty_findings, named(empty_findings, "begun")])).text
    assert "No study has confirmed a recipe." in text
    assert "No cycle has finished" in text


def test_hostile_words_are_shown_as_they_are(hostile_findings: Findings, findings: Findings) -> None:
    html = render_side_by_side([hostile_findings, findings])
    assert "<script>alert" not in html
    assert "hunter2" not in html


def test_the_console_gets_the_most_important_columns(studies: list[Findings]) -> None:
    console = Console(width=240, file=StringIO())
    console.print(side_by_side_table(studies))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0].split() == ["study", "question", "verdict", "estimate", "longer", "cycles", "spent"]
    assert [line.split()[0] for line in lines[1:]] == ["fashion-mnist-92", "prices", "begun"]
    assert "Demonstrated" in lines[1]


@needs_chromium
def test_a_browser_draws_every_figure(studies: list[Findings], tmp_path: Path) -> None:
    seen = browse(render_side_by_side(studies), tmp_path)
    assert "Uncaught" not in seen.stderr
    assert "Content Security Policy" not in seen.stderr
    drawn = re.findall(r'<div class="drawing[^"]*" id="([a-z0-9-]+)"[^>]*>\s*<div class="plot-container', seen.stdout)
    assert drawn == ["standings-0", "lengths-0", "standings-1", "lengths-1"]
