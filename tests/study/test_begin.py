"""A new search from the command to its files, in this process."""

from __future__ import annotations

import json
import signal
from importlib.resources import files

import jsonschema
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.record.events import Closed, Opened, Requested
from superconv_tune.record.study import Study
from tests.study.conftest import Workplace


def test_a_search_trains_decides_and_writes_its_files(workplace: Workplace) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    ended, printed = workplace.begin("mine")
    assert (ended.verdict, ended.interrupted) == ("demonstrated", False)
    assert "one trial after the other in this process" in printed
    assert "DEMONSTRATED" in printed
    assert "not recorded (--tracking-uri none)" in printed
    verdict = workplace.verdict("mine")
    jsonschema.validate(
        verdict, json.loads(files("superconv_tune.reporting").joinpath("verdict.schema.json").read_text())
    )
    assert verdict["mlflow"] == {"tracking_uri": None, "experiment_id": None, "run_id": None}
    assert len(verdict["confirmation"]) >= 3
    folder = workplace.folder / "runs" / "mine"
    assert {"report.html", "recipe.yaml", "search.log"} <= {file.name for file in folder.iterdir()}
    assert "not recorded: the search ran without MLflow" in (folder / "report.html").read_text(encoding="utf-8")
    assert not (workplace.folder / "runs" / "mlflow.db").exists()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_every_trial_is_in_the_journal_before_it_runs_and_one_runs_at_a_time(finished: Workplace) -> None:
    opened, *rest = finished.events("done")
    assert isinstance(opened, Opened)
    assert opened.workers == 1
    study = Study(opened)
    for event in rest:
        if isinstance(event, Requested):
            assert not study.running()
        study.apply(event)
    assert isinstance(rest[-1], Closed)
    assert rest[-1].reason == "decided"
    assert {outcome.status for outcome in study.outcomes.values()} == {"finished"}
    assert len([r for r in study.asked("search").values() if r.proposal is not None]) <= 3


def test_a_name_is_taken_once(finished: Workplace) -> None:
    with pytest.raises(UserError, match=r"--name: a study 'done' exists.*--resume done"):
        finished.begin("done")


@pytest.mark.parametrize(
    "name", ["studies.db", "mlflow.db", "studies.db-wal", "mlartifacts", "a b", "x" * 300, "\x1b[2J"]
)
def test_a_name_that_cannot_be_a_folder_is_refused_in_one_sentence(workplace: Workplace, name: str) -> None:
    with pytest.raises(UserError, match=r"--name: .*Choose another name") as refused:
        workplace.begin(name)
    assert str(refused.value).isprintable()
    assert not (workplace.folder / "runs").exists()


def test_what_is_the_users_to_mend_leaves_no_trace(workplace: Workplace) -> None:
    workplace.task.write_text("def task():\n    return 1 / 0\n", encoding="utf-8")
    with pytest.raises(UserError, match="division by zero"):
        workplace.begin("mine")
    assert not (workplace.folder / "runs").exists()
