"""What a reviewer sees of two real searches in MLflow's UI, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import LoggedModelOutput, Run
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.servers.tracking_server import tracking_server
from docs.tools.picture import installed
from superconv_tune.tracking.client import connect
from tests.end_to_end.conftest import Start

CHROMIUM = installed()
WAIT_MS = 60_000  # MLflow's page is 20 MB of code, and other tests may be running
SIZE = {"width": 2400, "height": 1200}  # of which the table draws only what is visible

pytestmark = [
    pytest.mark.slow,  # a server, two searches and a browser: minutes
    pytest.mark.timeout(1200),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    # MLflow 3.17 on SQLAlchemy 2.1.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


@dataclass(frozen=True)
class Stage:
    """A server with a search of the digits and one of a table."""

    uri: str
    client: MlflowClient
    digits: Run
    table: Run

    def children(self, kind: str) -> list[Run]:
        """Runs of trials of the search of the digits."""
        where = f"tags.`mlflow.parentRunId` = '{self.digits.info.run_id}' and tags.kind = '{kind}'"
        return list(self.client.search_runs([self.digits.info.experiment_id], where))


def table(path: Path) -> Path:
    """Two columns of numbers that tell three classes apart."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600)
    numbers = labels[:, None] + random.normal(0.0, 0.4, (600, 2))
    rows = [f"{a:.4f},{b:.4f},class{label}" for (a, b), label in zip(numbers, labels, strict=True)]
    path.write_text("\n".join(["a,b,label", *rows]), encoding="utf-8")
    return path


@contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A page of somebody who has never seen MLflow."""
    context = browser.new_context(viewport=SIZE, accept_downloads=True)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    try:
        yield context.new_page()
    finally:
        context.close()


def parent(client: MlflowClient, experiment: str) -> Run:
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id], "tags.role = 'search'")
    return run


def follow(page: Page, name: str) -> Page:
    """The page that a link of a note opens, which is a new one."""
    link = page.get_by_role("link", name=name, exact=True).first
    with page.context.expect_page() as opening:
        link.click()
    return opening.value


def row_of(page: Page, run: Run) -> str:
    """The text of the row of a run in the table of runs."""
    name = page.get_by_role("link", name=run.info.run_name, exact=True)
    expect(name).to_be_visible(timeout=WAIT_MS)
    index = name.locator("xpath=ancestor::*[@role='row']").first.get_attribute("row-index")
    return " ".join(page.locator(f"[role='row'][row-index='{index}']").all_inner_texts())


def test_a_reviewer_finds_verdicts_curves_data_source_and_model(start: Start, spec: Path, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with tracking_server(folder) as server:
        quick = ("--debug", "--budget", "5m", "--tracking-uri", server.uri)
        for words in ((str(spec), "--name", "otter"), ("--data", str(table(tmp_path / "rows.csv")), "--name", "fox")):
            _, err = (search := start("search", *words, "--target", "0.8", "--trials", "6", *quick)).communicate()
            assert search.returncode == 0, err
        client = connect(server.uri)
        stage = Stage(server.uri, client, parent(client, "small"), parent(client, "rows"))
        model = client.create_logged_model(stage.digits.info.experiment_id, "kept", stage.digits.info.run_id)
        client.log_outputs(stage.digits.info.run_id, [LoggedModelOutput(model.model_id, 0)])
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for look in (look_at_experiment, look_at_search, look_at_trial, look_at_all_data_sets):
                with opened(browser) as page:
                    look(page, stage)
            browser.close()


def look_at_experiment(page: Page, stage: Stage) -> None:
    """Whatever the page opens with, the first line of its note leads to the searches, under model training."""
    page.goto(f"{stage.uri}/#/experiments/{stage.digits.info.experiment_id}")
    page.wait_for_url(re.compile("workflowType="))
    if "genai" in page.url:  # in MLflow 3.17 the browser decides, and not the experiment's kind
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Got it").click()
    searches = follow(page, "searches by target, verdict, estimate and minutes")
    row = row_of(searches, stage.digits)
    assert "workflowType=machine_learning" in searches.url
    for shown in (
        "accuracy",
        stage.digits.data.tags["target"],
        stage.digits.data.tags["verdict"],
        "digits",
        "kept",
        "superconv_tune.search",
    ):
        assert shown in row
    for column in ("tags.`target`", "tags.`verdict`", "metrics.`estimate`", "metrics.`minutes`"):
        expect(searches.locator(f'[role="columnheader"][col-id="{column}"]')).to_be_visible()
    assert not searches.get_by_text("Evaluation runs").count()


def look_at_search(page: Page, stage: Stage) -> None:
    """The parent run says what was found, on which data, with which code; its charts are built already."""
    run = stage.digits.info
    page.goto(f"{stage.uri}/#/experiments/{run.experiment_id}/runs/{run.run_id}?workflowType=machine_learning")
    expect(page.get_by_text(f"{stage.digits.data.tags['verdict'].upper()}.")).to_be_visible(timeout=WAIT_MS)
    for shown in ("superconv_tune.search", "digits (", "kept"):
        expect(page.get_by_text(shown).first).to_be_visible()
    report = follow(page, "report")
    expect(report.frame_locator("iframe").get_by_role("heading").first).to_be_visible(timeout=WAIT_MS)
    charts = follow(page, "loss against learning rate")
    axis = charts.locator(".xtitle").filter(has_text="cycle/lr").first
    expect(axis).to_be_visible(timeout=WAIT_MS)
    curves = axis.locator("xpath=ancestor::*[contains(@class, 'js-plotly-plot')]").locator(".scatterlayer .js-line")
    assert curves.count() >= len(stage.children("confirm"))


def look_at_trial(page: Page, stage: Stage) -> None:
    """A trial shows its figure, and its metric by name."""
    run = stage.children("confirm")[0]
    assert {"validation/accuracy", "test/accuracy"} <= run.data.metrics.keys()
    link = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}?workflowType=machine_learning"
    page.goto(f"{stage.uri}/#/{link}")
    figure = page.locator('img[src*="cycle.png"]')
    figure.wait_for(state="attached")
    page.wait_for_function("image => image.complete && image.naturalWidth > 300", arg=figure.element_handle())
    expect(page.get_by_text("test/accuracy").first).to_be_visible()


def look_at_all_data_sets(page: Page, stage: Stage) -> None:
    """The searches of both data sets are in one table; the later experiment knows both."""
    page.goto(f"{stage.uri}/#/experiments/{stage.table.info.experiment_id}/runs?workflowType=machine_learning")
    every = follow(page, "the same for all data sets")
    for run in (stage.digits, stage.table):
        row = row_of(every, run)
        assert run.data.tags["verdict"] in row
        assert run.inputs.dataset_inputs[0].dataset.name in row
