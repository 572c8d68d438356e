from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from superconv_tune.core.curve import COLUMNS, Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.tracking.attempt import Attempt, curve_table, save, saved_curves
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.delivery import create_run, deliver
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.series import curve_points

WORK = Cycle(0.05)
REQUEST = TrialRequest(
    "s-1", 1, Probe(0.05), WORK, params=Hyperparameters(), schedule=Schedule(), seed=7, deadline=2e9, rung=0
)
STEP = np.arange(100, dtype=np.float64)
CYCLE = Curve(STEP, STEP + 0.1, STEP, STEP, STEP)


def test_an_attempt_is_read_as_it_was_written(tmp_path: Path) -> None:
    outcome = TrialOutcome("s-1", 1, "nan", 0.1, steps=100, cycle_curve=CYCLE)
    attempt = Attempt(REQUEST, outcome, None, curve_points("cycle", CYCLE, 1.5))
    attempt.write(tmp_path)
    assert Attempt.read(tmp_path) == attempt


def test_curves_are_read_as_they_were_saved(tmp_path: Path) -> None:
    outcome = TrialOutcome("s-1", 1, "finished", 0.9, steps=100)
    save(tmp_path, Attempt(REQUEST, outcome, None, []), {"range_test": Curve.empty(), "cycle": CYCLE})
    assert list(saved_curves(tmp_path)) == ["cycle"]
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(saved_curves(tmp_path)["cycle"], name), getattr(CYCLE, name))


def test_an_attempt_that_is_sent_twice_is_stored_once(handle: StudyHandle, tmp_path: Path) -> None:
    client = connect(handle.tracking_uri)
    run_id = create_run(client, handle, REQUEST)
    points = curve_points("cycle", CYCLE, 1000.0)
    outcome = TrialOutcome("s-1", 1, "finished", 0.9, steps=100)
    save(tmp_path / "first", Attempt(REQUEST, outcome, run_id, points), {"cycle": CYCLE})
    shutil.copytree(tmp_path / "first", tmp_path / "again")
    for name in ("first", "again"):
        deliver(client, handle, tmp_path / name)
        assert not (tmp_path / name).exists()
        assert len(client.get_metric_history(run_id, "cycle/loss")) == 100


def test_a_run_that_a_server_made_and_could_not_tell_of_is_the_attempts(handle: StudyHandle, tmp_path: Path) -> None:
    client = connect(handle.tracking_uri)
    made = create_run(client, handle, REQUEST)
    create_run(client, handle, replace(REQUEST, trial_id="s-2"))
    outcome = TrialOutcome("s-1", 1, "finished", 0.9, steps=100)
    save(tmp_path / "s-1", Attempt(REQUEST, outcome, None, curve_points("cycle", CYCLE, 1.0)), {"cycle": CYCLE})
    deliver(client, handle, tmp_path / "s-1")
    assert len(client.search_runs([handle.experiment_id], "tags.kind = 'search'")) == 2
    assert client.get_run(made).info.status == "FINISHED"
    assert len(client.get_metric_history(made, "cycle/loss")) == 100


def test_a_trial_without_a_step_is_an_empty_table() -> None:
    table = curve_table({"range_test": Curve.empty(), "cycle": Curve.empty()})
    assert table.num_rows == 0
    assert table.column_names == ["phase", "step", "lr", "momentum", "loss", "elapsed_s"]
