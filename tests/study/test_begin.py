"""A new search from the command to its files, in this process."""

from __future__ import annotations

import json
import signal
from importlib.resources import files

import jsonschema
import pytest

import superconv_tune.study.begin as begin_module
from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Closed, Looked, Opened, Requested
from superconv_tune.record.study import Study
from superconv_tune.spec.addresses import address_of
from superconv_tune.tracking.client import connect
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


def test_a_second_search_of_the_same_test_part_knows_of_the_first_and_needs_more_confidence(
    workplace: Workplace,
) -> None:
    workplace.begin("first")
    (looks,) = {event.number for event in workplace.events("first") if isinstance(event, Looked)}
    _, printed = workplace.begin("second", seed=1)
    assert looks == 1
    assert "1 other search looked at it (first)" in printed
    (look,) = [event for event in workplace.events("second") if isinstance(event, Looked)]
    assert (look.number, look.others) == (2, ("first",))
    assert workplace.opened("second").others == ("first",)
    words = "This was look 2 at the same test part"
    assert words in workplace.verdict("second")["warnings"][0]
    assert words in (workplace.folder / "runs" / "second" / "report.html").read_text(encoding="utf-8")
    _, printed = workplace.begin("third", fresh_ledger="the first two were to try it out", seed=2)
    assert "not counted: the first two were to try it out" in printed
    told = " ".join(workplace.verdict("third")["warnings"])
    assert "not counted (--fresh-ledger): the first two were to try it out" in told
    assert "This was look" not in told
    assert workplace.opened("third").others == ()


def test_a_name_is_taken_once(finished: Workplace) -> None:
    with pytest.raises(UserError, match=r"--name: a study 'done' exists.*--resume done"):
        finished.begin("done")


@pytest.mark.parametrize("left", ["verdict.json", "unstored.jsonl"])
def test_the_folder_of_a_study_in_another_database_is_not_taken(workplace: Workplace, left: str) -> None:
    folder = workplace.folder / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / left).touch()
    with pytest.raises(UserError, match=r"--name: .*mine/ holds a study of another journal.*Choose another name"):
        workplace.begin("mine")
    assert [file.name for file in folder.iterdir()] == [left]


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


@pytest.mark.parametrize(("owner", "name"), [(Journal, "append"), (begin_module, "_opened")])
def test_an_interruption_before_the_first_trial_leaves_no_run_running(
    owner: object, name: str, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        workplace.begin("mine", tracking_uri=None)
    client = connect(address_of(workplace.folder / "runs" / "mlflow.db"))
    experiment = client.get_experiment_by_name("clouds")
    assert experiment is not None
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["KILLED"]
