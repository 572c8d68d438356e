"""The addresses and states of MLflow's pages, as plain values; `test_ui` looks at them in a browser."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from superconv_tune.core.secrets import Address
from superconv_tune.tracking.handle import StudyHandle, Subject
from superconv_tune.tracking.series import SERIES, results
from superconv_tune.tracking.views import charts_link, comparison_link, run_link, searches, trials

TAG_CHARS = 20_000  # MLflow's limit for the tag of an experiment
HANDLE = StudyHandle(Address("sqlite:///x.db"), "7", "ab12", Subject("rmse", higher_is_better=False))


def test_the_view_of_a_study_shows_its_trials_best_first() -> None:
    state = trials(HANDLE, "quiet-otter").state
    assert state["searchFilter"] == "tags.mlflow.parentRunId = 'ab12'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`validation/rmse`", True)


def test_charts_show_what_is_recorded_and_every_series_has_one() -> None:
    charts = trials(HANDLE, "quiet-otter").state["compareRunCharts"]
    series = {f"{phase}/{name}" for phase, names in SERIES.items() for name in names}
    shown = {chart["metricKey"] for chart in charts} | {chart.get("selectedXAxisMetricKey", "") for chart in charts}
    assert shown - {""} <= series | set(results("rmse"))
    assert series - shown == {"range_test/lr"}  # whose logarithm is shown
    against = {(chart["metricKey"], chart.get("selectedXAxisMetricKey")) for chart in charts}
    assert {("range_test/loss", "range_test/log10_lr"), ("cycle/loss", "cycle/lr")} <= against


def test_every_chart_is_in_a_section_and_has_an_id_of_its_own() -> None:
    state = trials(HANDLE, "quiet-otter").state
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == {
        section["uuid"] for section in state["compareRunSections"]
    }
    assert len({chart["uuid"] for chart in state["compareRunCharts"]}) == len(state["compareRunCharts"])


@pytest.mark.parametrize("view", [searches(), trials(HANDLE, "n" * 200)])
def test_a_view_is_a_tag_that_mlflow_takes(view: object) -> None:
    assert isinstance(view, type(searches()))
    key, value = view.tag(1_700_000_000_000)
    assert key == f"mlflow.sharedViewState.{view.key}"
    assert len(value) < TAG_CHARS / 2
    read = json.loads(value)
    assert (read["name"], read["createdAt"]) == (view.name, 1_700_000_000_000)
    assert json.loads(read["state"]) == json.loads(json.dumps(view.state))


@pytest.mark.parametrize(
    ("link", "path", "asked"),
    [
        (charts_link(HANDLE), "/experiments/7/runs", {"viewStateShareKey": ["ab12"], "compareRunsMode": ["CHART"]}),
        (run_link(HANDLE, "cd34"), "/experiments/7/runs/cd34", {}),
        (run_link(HANDLE, "cd34", "my report.html"), "/experiments/7/runs/cd34/artifacts/my report.html", {}),
        (
            comparison_link(["7", "12"]),
            "/compare-experiments/s",
            {"experiments": ['["7", "12"]'], "viewStateShareKey": ["searches"]},
        ),
    ],
)
def test_links_lead_to_pages_of_model_training(link: str, path: str, asked: dict[str, list[str]]) -> None:
    page = urlsplit(link.removeprefix("#"))
    assert unquote(page.path) == path
    assert parse_qs(page.query) == {**asked, "workflowType": ["machine_learning"]}
