"""A study that was interrupted goes on, and what must not go on is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.record.events import Closed, Resumed
from superconv_tune.record.study import Study
from superconv_tune.study.resume import resume
from tests.study.conftest import Workplace, debugging, workplace_in

IMPORTABLE = os.environ | {"PYTHONPATH": str(Path.cwd())}


@pytest.fixture
def interrupted(workplace: Workplace) -> Workplace:
    """With the study ``cut``, which met a Ctrl-C in the middle of a trial."""
    (workplace.folder / "interrupt").touch()
    ended, _ = workplace.begin("cut")
    assert ended.interrupted
    return workplace


def test_what_was_done_is_not_trained_again_and_what_was_cut_is(interrupted: Workplace) -> None:
    before = Study.replay(interrupted.events("cut"))
    assert isinstance(before.closed, Closed)
    assert before.closed.reason == "interrupted"
    cut = [outcome.trial_id for outcome in before.outcomes.values() if outcome.status == "interrupted"]
    done = {trial_id for trial_id, outcome in before.outcomes.items() if outcome.status == "finished"}
    assert len(cut) == 1
    assert done
    assert interrupted.verdict("cut")["trials"]["interrupted"] == 1

    call, printed = debugging()
    ended = resume("cut", interrupted.output, None, None, call)
    assert (ended.verdict, ended.interrupted) == ("demonstrated", False)
    assert "DEMONSTRATED" in printed()
    after = Study.replay(interrupted.events("cut"))
    assert {after.requests[trial_id].attempt for trial_id in done} == {1}
    assert after.requests[cut[0]].attempt == 2
    assert after.deadline == before.deadline
    assert after.opened == before.opened


def test_a_folder_that_was_moved_goes_on_where_it_is(tmp_path: Path) -> None:
    """Studies, MLflow, data and code, all of it; nothing is made at the old path."""
    old = tmp_path / "old"
    old.mkdir()
    workplace_in(old).begin("done", tracking_uri=None)
    new = workplace_in(Path(shutil.move(old, tmp_path / "new")))  # whose task looks for its files there
    more = ["--resume", "done", "--budget", "+20s", "--accept-changes", "--debug", "--output", new.output]
    # In another process, as in life: MLflow remembers in each where the files of a run are.
    command = [sys.executable, "-m", "superconv_tune.search", *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=IMPORTABLE, check=False)
    assert done.returncode == 0, done.stderr
    assert [event for event in new.events("done") if isinstance(event, Resumed)]
    verdict = new.verdict("done")
    assert verdict["mlflow"]["tracking_uri"] == f"sqlite:///{new.folder / 'runs' / 'mlflow.db'}"
    files = new.folder / "runs" / "mlartifacts" / verdict["mlflow"]["run_id"] / "artifacts"
    assert json.loads((files / "verdict.json").read_text(encoding="utf-8")) == verdict
    assert not old.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


def test_without_its_mlflow_a_study_makes_no_other_one(workplace: Workplace) -> None:
    workplace.begin("done", tracking_uri=None)
    (workplace.folder / "runs" / "mlflow.db").unlink()
    with pytest.raises(UserError, match=r"mlflow\.db, which does not exist"):
        resume("done", workplace.output, None, "+30s", debugging()[0])
    assert not (workplace.folder / "runs" / "mlflow.db").exists()


def test_time_that_is_added_moves_the_deadline(interrupted: Workplace) -> None:
    before = Study.replay(interrupted.events("cut"))
    resume("cut", interrupted.output, None, "+30s", debugging()[0])
    (event,) = [event for event in interrupted.events("cut") if isinstance(event, Resumed)]
    assert event.deadline == before.deadline + 30.0


def test_time_that_is_added_counts_from_the_command_where_the_deadline_has_passed(interrupted: Workplace) -> None:
    call, _ = debugging()
    later = Study.replay(interrupted.events("cut")).deadline + 3600.0
    resume("cut", interrupted.output, None, "+30s", replace(call, started_at=later))
    (event,) = [event for event in interrupted.events("cut") if isinstance(event, Resumed)]
    assert (event.deadline, event.started_at) == (later + 30.0, later)


def test_changed_data_are_refused_and_nothing_is_trained_on_them(interrupted: Workplace) -> None:
    before = interrupted.events("cut")
    (interrupted.folder / "seed").write_text("1", encoding="utf-8")
    with pytest.raises(UserError, match="the data of 'cut' have changed since it began"):
        resume("cut", interrupted.output, None, None, debugging()[0])
    assert interrupted.events("cut") == before


def test_changed_code_is_refused_and_goes_on_where_the_user_accepts_it(interrupted: Workplace) -> None:
    before = interrupted.events("cut")
    text = interrupted.task.read_text(encoding="utf-8")
    interrupted.task.write_text(text.replace("Model(6, 3)", "Model(6, 3, bias=False)"), encoding="utf-8")
    with pytest.raises(UserError, match=r"'cut' is no longer what it was: clouds\.py has changed.*--accept-changes"):
        resume("cut", interrupted.output, None, None, debugging()[0])
    assert interrupted.events("cut") == before

    resume("cut", interrupted.output, None, "+30s", debugging()[0], accept_changes=True)
    (event,) = [event for event in interrupted.events("cut") if isinstance(event, Resumed)]
    assert event.changes == ("clouds.py has changed",)
    warnings = interrupted.verdict("cut")["warnings"]
    assert [warning for warning in warnings if "clouds.py has changed" in warning]
    with pytest.raises(UserError, match="has ended"):  # and not that it has changed: the change was accepted
        resume("cut", interrupted.output, None, None, debugging()[0])


def test_a_study_that_has_ended_needs_more_time(finished: Workplace) -> None:
    with pytest.raises(UserError, match=r"'done' has ended \(decided\)"):
        resume("done", finished.output, None, None, debugging()[0])


@pytest.mark.parametrize(("budget", "message"), [("20m", r"Write \+20m"), ("+soon", "--budget")])
def test_a_budget_that_adds_nothing_is_refused(finished: Workplace, budget: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resume("done", finished.output, None, budget, debugging()[0])


def test_an_unknown_study_is_told_with_the_known_ones(finished: Workplace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Known, newest first: done"):
        resume("dome", finished.output, None, None, debugging()[0])
    with pytest.raises(UserError, match="nothing was searched"):
        resume("done", str(tmp_path), None, None, debugging()[0])
