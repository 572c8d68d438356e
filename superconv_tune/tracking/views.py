"""Saved views of MLflow's UI: which columns and charts it shows of the runs of an experiment; and links to its pages.

MLflow 3.15 and later keep a view as a tag of the experiment, list it in the menu "Views", and open it by its key in an
address. The tag has its name, times, and the state of the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from superconv_tune.tracking.handle import StudyHandle, Subject
from superconv_tune.tracking.series import metric_name

VIEW = "mlflow.sharedViewState."  # how the key of such a tag begins
SEARCHES = "searches"  # key of the view of all searches of an experiment
ROLE = "role"  # tag of every run: `search`, `range_test`, `long_run` or `trial`
# MLflow 3.17 opens in the mode that the browser used last, at first in GenAI.
TRAINING = "workflowType=machine_learning"
SMOOTHNESS = 40  # of the loss of single batches, from 0 to 100
CARD_PIXELS = 380

State = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """A saved view.

    Attributes:
        key: its key in addresses; the same for every writer.
        name: its name in the menu.
        state: what the page shows, in MLflow's own terms.
    """

    key: str
    name: str
    state: State

    def tag(self, now_ms: int) -> tuple[str, str]:
        """The tag of the experiment that keeps the view."""
        value = {"name": self.name, "createdAt": now_ms, "updatedAt": now_ms, "state": json.dumps(self.state)}
        return VIEW + self.key, json.dumps(value)


def searches() -> View:
    """All searches of an experiment, or of several that are compared, by target, verdict, estimate and minutes."""
    columns = [
        *_columns("tags", "metric", "target", "verdict"),
        *_columns("metrics", "estimate", "minutes", "estimate_low", "estimate_high"),
        *_columns("attributes", "Dataset", "Models", "Source"),
    ]
    return View(SEARCHES, "Searches", _state(f"tags.{ROLE} = 'search'", "attributes.start_time", columns))


def trials(handle: StudyHandle, name: str) -> View:
    """The trials of one study, the best first: a table, and the charts of their curves."""
    subject = handle.subject
    validation = metric_name("validation", subject.metric)
    columns = [
        *_columns("metrics", validation, metric_name("test", subject.metric), "validation/loss", "max_lr"),
        *_columns(
            "params", "purpose", "family", "cycle_epochs", "batch_size", "base_momentum", "max_momentum", "weight_decay"
        ),
        *_columns("tags", "status", "node"),
    ]
    # Sorted by start, the page would fold the trials of a search into one row, and draw none of them.
    order = _columns("metrics", validation)[0]
    state = _state(f"tags.mlflow.parentRunId = '{handle.run_id}'", order, columns)
    state |= {"orderByAsc": not subject.higher_is_better, **_charts(subject)}
    return View(handle.run_id, f"Trials of {name}: loss against learning rate", state)


def charts_link(handle: StudyHandle) -> str:
    """Address, within the UI, of the charts of a study's curves."""
    return f"{table_link(handle)}&compareRunsMode=CHART"


def table_link(handle: StudyHandle) -> str:
    """Address, within the UI, of the table of a study's trials."""
    return view_link(handle.experiment_id, handle.run_id)


def view_link(experiment_id: str, key: str) -> str:
    """Address, within the UI, of a saved view."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={key}&{TRAINING}"


def run_link(handle: StudyHandle, run_id: str, artifact: str = "") -> str:
    """Address, within the UI, of a run or of one of its files."""
    page = f"#/experiments/{handle.experiment_id}/runs/{run_id}"
    return f"{page}/artifacts/{quote(artifact)}?{TRAINING}" if artifact else f"{page}?{TRAINING}"


def comparison_link(experiment_ids: Sequence[str]) -> str:
    """Address, within the UI, of the searches of several experiments in one table."""
    ids = quote(json.dumps(experiment_ids))
    return f"#/compare-experiments/s?experiments={ids}&viewStateShareKey={SEARCHES}&{TRAINING}"


def _columns(kind: str, *names: str) -> list[str]:
    return [f"{kind}.`{name}`" for name in names]


def _state(runs: str, order: str, columns: list[str]) -> dict[str, Any]:
    """The state of the page of runs; MLflow adds its defaults.

    Args:
        runs: filter of the runs.
        order: column by which they are sorted, the highest first.
        columns: what the table shows, in this order.
    """
    return {
        "searchFilter": runs,
        "orderByKey": order,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": "SHOW_ALL",
        "hideEmptyCharts": True,
    }


def _charts(subject: Subject) -> State:
    """Sections of charts, of which those without a value are hidden."""
    results = (metric_name("validation", subject.metric), metric_name("test", subject.metric))
    sections = {
        "Loss against learning rate": (
            _line("range_test/loss", against="range_test/log10_lr"),
            _line("cycle/loss", against="cycle/lr"),
        ),
        "Cycle, step by step": (_line("cycle/loss"), _line("cycle/lr"), _line("cycle/momentum")),
        "Results": tuple(_chart("BAR", name) for name in results),
    }
    return {
        "compareRunSections": [
            {
                "uuid": title,
                "name": title,
                "display": True,
                "isReordered": True,
                "deleted": False,
                "isGenerated": False,
                "columns": 2,
                "cardHeight": CARD_PIXELS,
            }
            for title in sections
        ],
        "compareRunCharts": [
            chart | {"uuid": f"{title}, {number}", "metricSectionId": title}
            for title, charts in sections.items()
            for number, chart in enumerate(charts)
        ],
        "isAccordionReordered": True,
    }


def _line(metric: str, against: str = "") -> dict[str, Any]:
    """A chart of a metric against the step, or against another metric."""
    return _chart("LINE", metric) | {
        "xAxisKey": "metric" if against else "step",
        "selectedXAxisMetricKey": against,
        "xAxisScaleType": "linear",
        "scaleType": "log" if metric.endswith("loss") else "linear",  # divergence would hide the rest
        "range": {},
        "lineSmoothness": SMOOTHNESS if metric.endswith("loss") else 0,
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": False,
    }


def _chart(kind: str, metric: str) -> dict[str, Any]:
    return {
        "type": kind,
        "metricKey": metric,
        "runsCountToCompare": 100,
        "deleted": False,
        "isGenerated": False,
    }
