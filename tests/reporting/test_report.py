import math
import re
import subprocess
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from superconv_tune.record.kept import KeptModels
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.report import render_report
from superconv_tune.verdict.verdict import Verdict
from tests.reporting.conftest import EVERY

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=10000",
    "--enable-logging=stderr",
    "--dump-dom",
]
FIGURES = ["ladder", "range-tests", "cycles", "baselines", "importance", "time-spent"]
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")


class Page(HTMLParser):
    """What a browser would fetch, run or show of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.scripts = 0
        self.words: list[str] = []
        self._silent = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag if tag in ("script", "style") else self._silent
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "srcset", "data"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_endtag(self, tag: str) -> None:
        self._silent = "" if tag == self._silent else self._silent

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def written(findings: Findings, folder: Path = Path("runs/fashion-mnist-92")) -> str:
    """The page, as it is written into the folder of the study."""
    return render_report(findings, folder, f"python -m superconv_tune.report {folder.name} --storage sqlite:///o.db")


@pytest.mark.parametrize("name", EVERY)
def test_a_page_needs_no_network_and_runs_only_its_own_scripts(
    name: str, every_findings: Callable[[str], Findings]
) -> None:
    page = Page(written(every_findings(name)))

    assert [address for address in page.addresses if not address.startswith(("#", "data:"))] == []
    assert page.handlers == []
    assert page.scripts <= 2 + len(FIGURES)  # plotly, ours, and the data of each figure


def test_the_verdict_comes_first(findings: Findings) -> None:
    text = Page(written(findings)).text

    assert text.index("Yes. Fresh models reached") < text.index("What longer training buys")
    for words in ("0.9247 (95 % interval 0.9218 to 0.9275)", "99.3 %", "CUDA out of memory", "versions.torch 2.13.0"):
        assert words in text
    assert "python -m superconv_tune.report fashion-mnist-92" in text
    assert "Floors and ceilings A linear model reaches accuracy 0.83." in text


def test_the_commands_work_where_the_search_was_started(findings: Findings) -> None:
    kept = replace(findings, kept=KeptModels("runs/fashion-mnist-92/model", 1, 7, 1000))
    text = Page(written(kept)).text
    for command in (
        "superconv_tune.train runs/fashion-mnist-92/recipe.yaml --epochs N",
        "superconv_tune.predict runs/fashion-mnist-92 NEW_DATA",
    ):
        assert command in text
    assert "superconv_tune.report fashion-mnist-92 --storage sqlite:///o.db" in text
    elsewhere = Page(written(kept, Path("/mnt/all studies/fashion-mnist-92"))).text
    assert "superconv_tune.predict '/mnt/all studies/fashion-mnist-92' NEW_DATA" in elsewhere


def test_a_recipe_that_is_fitted_has_no_cycle_and_is_a_recipe(empty_findings: Findings) -> None:
    text = Page(written(empty_findings)).text
    assert "No cycle has finished, so there is nothing to draw; families that are fitted" in text
    assert "no recipe was chosen, or its family is fitted" in text


def test_groups_behind_the_test_part_are_told(findings: Findings) -> None:
    assert "Test part" not in Page(written(findings)).text
    study, opened = findings.study, findings.study.opened
    grouped = copy(study)
    grouped.opened = replace(
        opened, environment={**opened.environment, "data": {"test_items": 1500, "test_groups": 37}}
    )
    assert "Test part 1,500 examples of 37 groups" in Page(written(replace(findings, study=grouped))).text


def test_hostile_words_are_shown_as_they_are(hostile_findings: Findings) -> None:
    html = written(hostile_findings)

    assert "<script>alert" not in html
    assert "<img" not in html.split("Plotly", maxsplit=1)[0]
    assert "<script>alert(1)</script><img src=https://evil.example/x" in Page(html).text
    assert "hunter2" not in html


def test_without_trials_every_part_says_what_is_missing(empty_findings: Findings) -> None:
    text = Page(written(empty_findings)).text

    for words in (
        "there is nothing to draw",
        "No range test was recorded",
        "No trial has ended",
        "nothing was confirmed",
    ):
        assert words in text
    assert "recipe.yaml" not in text


def test_a_smaller_error_is_better_and_no_target_is_invented(regression_findings: Findings) -> None:
    text = Page(written(regression_findings)).text

    assert "How far does resnet9 (width 32) get in mean_absolute_error?" in text
    assert "Confidence that the target" not in text


def test_baselines_are_listed_where_they_ran(compared_findings: Findings) -> None:
    text = Page(written(compared_findings)).text

    assert "one-cycle against the baselines" in text
    assert "Super-convergence happened here: what step reaches in 540 steps at its best rate, 0.901" in text
    assert "step 0.901 0.897 to 0.905 9 (540 steps) 0.072, of 3 0.925 +0.024 (0.0183 to 0.0297)" in text
    assert "180 steps (95 % interval 60 to 260)" in text
    assert "more steps than were tried (95 % interval from 400)" in text
    assert "best at the border of its learning rates" in text
    assert "constant: not tested. The deadline left no room for 3 runs of 9 epochs after the confirmation." in text


def test_an_interval_that_is_not_known_is_a_dash(hostile_findings: Findings) -> None:
    assert math.isnan(hostile_findings.baselines[0].low)
    assert "nan" not in Page(written(hostile_findings)).text


def test_a_gain_in_prices_is_written_out(compared_findings: Findings) -> None:
    dear = replace(compared_findings.baselines[0], gain=2345.6, gain_low=1234.5, gain_high=3456.7)
    text = Page(written(replace(compared_findings, baselines=(dear,)))).text
    assert "+2,346 (1,234 to 3,457)" in text


def test_what_could_change_the_answer_does_not_contradict_the_reasons(findings: Findings) -> None:
    useless = replace(findings, verdict=Verdict("undecided", 0.5, None, longer_may_help=False))
    text = Page(written(useless)).text
    assert "What could change this answer A stronger model or more data may settle it." in text
    assert "Estimate not known yet (see the reasons)" in text


def test_the_same_findings_give_the_same_page(findings: Findings) -> None:
    assert written(findings) == written(findings)


def browse(html: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The page as Chromium leaves it, and what it complained about."""
    page = folder / "report.html"
    page.write_text(html, encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@needs_chromium
def test_a_browser_draws_every_figure_whatever_the_words(hostile_findings: Findings, tmp_path: Path) -> None:
    seen = browse(written(hostile_findings), tmp_path)
    drawn = re.findall(r'<div class="drawing[^"]*" id="([a-z-]+)"[^>]*>\s*<div class="plot-container', seen.stdout)

    assert drawn == FIGURES
    assert seen.stdout.count('class="main-svg"') >= len(FIGURES)
    assert "Content Security Policy" not in seen.stderr  # every script ran, nothing was refused
    assert "Uncaught" not in seen.stderr
    assert not [address for address in Page(seen.stdout).addresses if address.startswith("http")]


@needs_chromium
def test_a_click_on_a_heading_sorts_and_leaves_what_is_missing_last(findings: Findings, tmp_path: Path) -> None:
    own_scripts_only = re.compile(r"<meta http-equiv[^>]*>")
    clicks = "<script>for (let i = 0; i < 2; i++) document.querySelectorAll('.sortable button')[3].click();</script>"
    thousands = "<script>document.title = `thousands: ${compare('999 (9 to 2,000)', '1,234 (1 to 9)')}`;</script>"
    html = own_scripts_only.sub("", written(findings), count=1).replace("</body>", clicks + thousands + "</body>")
    seen = browse(html, tmp_path).stdout
    body = seen.split("<tbody>")[1]
    shown = re.findall(r"<td>((?:search|confirm)-\d+)", body)
    trials = {trial.request.trial_id: trial.outcome.validation for trial in findings.study.trials()}

    values = [trials[trial] for trial in shown]
    measured = [value for value in values if value is not None]
    assert len(shown) == len(trials)
    assert measured == sorted(measured, reverse=True)
    assert values[len(measured) :] == [None, None]
    assert "<title>thousands: -1</title>" in seen  # 999 comes before 1,234


@needs_chromium
def test_a_foreign_script_would_not_run(findings: Findings, tmp_path: Path) -> None:
    foreign = "<script>document.title = 'taken over'</script></body>"
    seen = browse(written(findings).replace("</body>", foreign), tmp_path)

    assert "<title>taken over" not in seen.stdout
    assert "Content Security Policy" in seen.stderr
