from __future__ import annotations

import logging
import multiprocessing
import platform
import re
import socket
import threading
import time
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from superconv_tune.core.curve import COLUMNS, Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.secrets import Address
from superconv_tune.lr.lr_range import RangeTestResult
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Probe, RangeTest
from superconv_tune.record.trial import Cycle, Ramps, TrialOutcome, TrialRequest
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.delivery import request_params
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.series import Phase
from superconv_tune.tracking.study_run import close_study
from superconv_tune.tracking.worker import MlflowTracker, recover
from superconv_tune.trial.tracker import Tracker

PARAMS = Hyperparameters(cycle_epochs=2.5, base_momentum=0.8, momentum_width=0.15, weight_decay=1e-4)
FOUND = RangeTestResult(0.1, 0.4, 0.05, 0.01, "good", 0.0, 120)


def asked(trial_id: str = "s-1", attempt: int = 1) -> TrialRequest:
    return TrialRequest(
        trial_id, attempt, Probe(0.05), Cycle(0.05), params=PARAMS, schedule=Schedule(), seed=7, deadline=2e9, rung=0
    )


def ended(request: TrialRequest, steps: int = 0, **more: Any) -> TrialOutcome:
    told: dict[str, Any] = {"status": "finished", "objective": 0.9, "validation": 0.9, "validation_loss": 0.3}
    told |= {"steps": steps, "max_lr": 0.06, "wall_s": 2.0, "range_test": FOUND} | more
    return TrialOutcome(trial_id=request.trial_id, attempt=request.attempt, **told)


def curve_of(steps: int) -> Curve:
    step = np.arange(steps, dtype=np.float64)
    loss = 2.3 * np.exp(-step / 300) + 0.1 * np.sin(step)
    return Curve(step, np.geomspace(1e-4, 1.0, steps), np.linspace(0.95, 0.8, steps), loss, step / 1000)


def record(tracker: Tracker, phase: Phase, curve: Curve, block: int = 50) -> None:
    for start in range(0, len(curve), block):
        tracker.record(phase, curve.take(slice(start, start + block)))


def started(tracker: Tracker, request: TrialRequest) -> str | None:
    tracker.start(request)
    return tracker.run_id()


def run_trial(tracker: Tracker, request: TrialRequest, ramp: Curve, cycle: Curve) -> str:
    run_id = started(tracker, request)
    record(tracker, "range_test", ramp)
    record(tracker, "cycle", cycle)
    tracker.finish(ended(request, len(cycle)))
    assert run_id is not None
    return run_id


def history(handle: StudyHandle, run_id: str, key: str) -> list[tuple[int, float]]:
    return sorted((m.step, m.value) for m in connect(handle.tracking_uri).get_metric_history(run_id, key))


def table_of(handle: StudyHandle, run_id: str) -> dict[str, list[Any]]:
    path = connect(handle.tracking_uri).download_artifacts(run_id, "curves.parquet")
    columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return columns


def test_a_short_trial_is_whole(handle: StudyHandle, tmp_path: Path) -> None:
    ramp, cycle = curve_of(120), curve_of(500)
    run_id = run_trial(MlflowTracker(handle, tmp_path / "spill"), asked(), ramp, cycle)
    for phase, curve in (("range_test", ramp), ("cycle", cycle)):
        for name in ("loss", "lr"):
            assert history(handle, run_id, f"{phase}/{name}") == list(
                zip(range(len(curve)), getattr(curve, name).tolist(), strict=True)
            )
    assert len(history(handle, run_id, "cycle/momentum")) == 500
    assert history(handle, run_id, "validation/accuracy") == [(500, 0.9)]


def test_every_iteration_and_both_figures_are_files_of_the_run(handle: StudyHandle, tmp_path: Path) -> None:
    ramp, cycle = curve_of(120), curve_of(3000)
    run_id = run_trial(MlflowTracker(handle, tmp_path / "spill"), asked(), ramp, cycle)
    table = table_of(handle, run_id)
    assert table["phase"] == ["range_test"] * 120 + ["cycle"] * 3000
    for name in COLUMNS:
        assert table[name] == np.concatenate([getattr(ramp, name), getattr(cycle, name)]).tolist()
    files = {file.path for file in connect(handle.tracking_uri).list_artifacts(run_id)}
    assert files == {"curves.parquet", "range_test.png", "cycle.png"}
    assert list((tmp_path / "spill" / handle.run_id).iterdir()) == []


def test_a_long_curve_keeps_500_points_with_its_extremes(handle: StudyHandle, tmp_path: Path) -> None:
    cycle = curve_of(6000)
    cycle.loss[4321] = 99.0
    run_id = run_trial(MlflowTracker(handle, tmp_path), asked(), curve_of(60), cycle)
    points = history(handle, run_id, "cycle/loss")
    assert 400 < len(points) <= 500
    assert len({step for step, _ in points}) == len(points)
    assert {points[0][0], points[-1][0], 4321} <= {step for step, _ in points}
    assert dict(points)[4321] == 99.0


def test_points_appear_while_the_trial_runs_and_none_is_written_twice(handle: StudyHandle, tmp_path: Path) -> None:
    now = 1000.0
    tracker = MlflowTracker(handle, tmp_path, clock=lambda: now)
    request, cycle = asked(), curve_of(2000)
    run_id = started(tracker, request)
    assert run_id is not None
    for start in range(0, 2000, 50):
        now += 0.3
        tracker.record("cycle", cycle.take(slice(start, start + 50)))
        if start == 1000:
            wait_until(lambda: len(history(handle, run_id, "cycle/loss")) > 0)
    live = history(handle, run_id, "cycle/loss")
    assert connect(handle.tracking_uri).get_run(run_id).data.tags["phase"] == "cycle"
    tracker.finish(ended(request, 2000))
    points = history(handle, run_id, "cycle/loss")
    assert set(live) < set(points)
    assert len({step for step, _ in points}) == len(points) <= 500


def test_a_child_run_tells_what_it_is(handle: StudyHandle, tmp_path: Path) -> None:
    run_id = run_trial(MlflowTracker(handle, tmp_path), asked(), curve_of(60), curve_of(60))
    run = connect(handle.tracking_uri).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "s-1"
    assert {field.name for field in fields(Hyperparameters)} <= set(run.data.params)
    assert run.data.params == {key: str(value) for key, value in request_params(asked()).items()}
    assert float(run.data.params["max_momentum"]) == pytest.approx(0.95)
    told = {"mlflow.parentRunId": handle.run_id, "kind": "search", "rung": "0", "status": "finished", "phase": "cycle"}
    told |= {
        "trial_id": "s-1",
        "attempt": "1",
        "node": platform.node(),
        "shortened": "false",
        "range_test.quality": "good",
    }
    assert told.items() <= run.data.tags.items()


def test_a_child_run_has_the_data_the_source_and_a_note_with_its_figures(handle: StudyHandle, tmp_path: Path) -> None:
    run_id = run_trial(MlflowTracker(handle, tmp_path), asked(), curve_of(60), curve_of(60))
    client = connect(handle.tracking_uri)
    run = client.get_run(run_id)
    assert [used.dataset.digest for used in run.inputs.dataset_inputs] == ["f1" * 6]
    assert (run.data.tags["role"], run.data.tags["mlflow.source.name"]) == ("trial", "superconv_tune.search")
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("Short cycle at one rate of the grid: finished, ")
    assert "accuracy 0.9 on the validation part" in note
    files = {file.path for file in client.list_artifacts(run_id)}
    shown = re.findall(r"path=(.+?)&run_uuid=" + run_id, note)
    assert set(shown) == {"range_test.png", "cycle.png"} < files


@pytest.mark.parametrize(
    ("status", "expected"),
    [("finished", "FINISHED"), ("diverged", "FINISHED"), ("oom", "FAILED"), ("data_error", "FAILED")],
)
def test_a_run_failed_when_machine_or_code_did(handle: StudyHandle, tmp_path: Path, status: str, expected: str) -> None:
    tracker = MlflowTracker(handle, tmp_path)
    run_id = started(tracker, asked())
    tracker.finish(ended(asked(), status=status, reason="because"))
    run = connect(handle.tracking_uri).get_run(run_id)
    assert (run.info.status, run.data.tags["status"], run.data.tags["reason"]) == (expected, status, "because")


def test_a_newer_attempt_supersedes_the_older_ones_of_its_trial_only(handle: StudyHandle, tmp_path: Path) -> None:
    tracker = MlflowTracker(handle, tmp_path)
    other = run_trial(tracker, asked("s-2"), curve_of(5), curve_of(5))
    runs = [run_trial(tracker, asked("s-1", attempt), curve_of(5), curve_of(5)) for attempt in (1, 2, 3)]
    client = connect(handle.tracking_uri)
    superseded = [client.get_run(run_id).data.tags.get("superseded") for run_id in (other, *runs)]
    assert superseded == [None, "true", "true", None]


def test_losses_that_are_not_finite_stay_out_of_mlflow_but_not_out_of_the_file(
    handle: StudyHandle, tmp_path: Path
) -> None:
    cycle = curve_of(40)
    cycle.loss[37:] = [np.inf, np.nan, np.nan]
    run_id = run_trial(MlflowTracker(handle, tmp_path), asked(), curve_of(5), cycle)
    assert [step for step, _ in history(handle, run_id, "cycle/loss")] == list(range(37))
    assert [step for step, _ in history(handle, run_id, "cycle/lr")] == list(range(40))
    np.testing.assert_array_equal(table_of(handle, run_id)["loss"][5:], cycle.loss)


def test_a_second_ramp_never_repeats_a_step(handle: StudyHandle, tmp_path: Path) -> None:
    tracker = MlflowTracker(handle, tmp_path)
    request = replace(asked(), purpose=RangeTest(), work=Ramps(1e-4, 1.0))
    run_id = started(tracker, request)
    assert run_id is not None
    record(tracker, "range_test", curve_of(90))
    record(tracker, "range_test", curve_of(120))
    tracker.finish(ended(request))
    assert [step for step, _ in history(handle, run_id, "range_test/loss")] == list(range(210))


def test_recording_returns_at_once(handle: StudyHandle, tmp_path: Path) -> None:
    tracker = MlflowTracker(handle, tmp_path)
    tracker.start(asked())
    curve = curve_of(5000)
    began = time.perf_counter()
    record(tracker, "cycle", curve)
    assert time.perf_counter() - began < 0.5  # 100 blocks; one request of MLflow each would take several seconds
    tracker.finish(ended(asked(), 5000))


def test_many_trials_share_one_thread(handle: StudyHandle, tmp_path: Path) -> None:
    tracker = MlflowTracker(handle, tmp_path)
    run_trial(tracker, asked("s-0"), curve_of(5), curve_of(5))
    before = set(threading.enumerate())  # those of other tests may end meanwhile, so that a count would not do
    for number in range(1, 4):
        run_trial(tracker, asked(f"s-{number}"), curve_of(5), curve_of(5))
    assert set(threading.enumerate()) <= before


def test_the_next_trial_need_not_wait_until_the_last_one_was_sent(handle: StudyHandle, tmp_path: Path) -> None:
    tracker = MlflowTracker(handle, tmp_path, finish_timeout_s=0.0)
    for name in ("s-1", "s-2"):
        run_trial(tracker, asked(name), curve_of(60), curve_of(60))
    tracker.flush(20.0)
    runs = connect(handle.tracking_uri).search_runs([handle.experiment_id], "tags.kind = 'search'")
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    assert list((tmp_path / handle.run_id).iterdir()) == []


def test_a_trial_that_never_finished_is_killed_with_the_study(handle: StudyHandle, tmp_path: Path) -> None:
    tracker = MlflowTracker(handle, tmp_path)
    lost = started(tracker, asked("s-1"))
    run_trial(tracker, asked("s-2"), curve_of(5), curve_of(5))
    close_study(handle, status="FINISHED", tags={}, metrics={}, artifacts=[])
    assert connect(handle.tracking_uri).get_run(lost).info.status == "KILLED"


def test_what_a_store_that_is_away_missed_is_sent_with_the_next_trial(
    handle: StudyHandle, store: Path, tmp_path: Path
) -> None:
    spill = tmp_path / "spill"
    tracker = MlflowTracker(handle, spill)
    run_id = started(tracker, asked("s-1"))
    assert run_id is not None
    record(tracker, "cycle", curve_of(300))
    away = store.rename(store.with_suffix(".away"))
    tracker.finish(ended(asked("s-1"), 300))
    assert [folder.name for folder in (spill / handle.run_id).iterdir()] == ["s-1-1"]
    away.replace(store)
    run_trial(tracker, asked("s-2"), curve_of(5), curve_of(5))
    assert len(history(handle, run_id, "cycle/loss")) == 300
    assert len(table_of(handle, run_id)["loss"]) == 300
    assert connect(handle.tracking_uri).get_run(run_id).info.status == "FINISHED"
    assert list((spill / handle.run_id).iterdir()) == []


def test_a_trial_without_any_store_is_recovered_as_one_run(handle: StudyHandle, store: Path, tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    away = store.rename(store.with_suffix(".away"))
    tracker = MlflowTracker(handle, spill)
    assert started(tracker, asked()) is None
    record(tracker, "cycle", curve_of(300))
    tracker.finish(ended(asked(), 300))
    assert recover(handle, spill) == 1
    away.replace(store)
    assert recover(handle, spill) == 0
    assert recover(handle, spill) == 0
    (run,) = connect(handle.tracking_uri).search_runs([handle.experiment_id], "tags.trial_id = 's-1'")
    assert run.data.tags["mlflow.parentRunId"] == handle.run_id
    assert run.data.params["weight_decay"] == "0.0001"
    assert len(history(handle, run.info.run_id, "cycle/loss")) == 300


def test_without_a_trial_nothing_is_recorded_and_nothing_raised(handle: StudyHandle, tmp_path: Path) -> None:
    tracker = MlflowTracker(handle, tmp_path / "spill")
    tracker.record("cycle", curve_of(5))
    tracker.finish(ended(asked()))
    assert not (tmp_path / "spill").exists()


@pytest.mark.parametrize("with_a_trial", [True, False])
def test_what_the_disk_did_not_take_is_kept_and_sent_once_it_does(
    handle: StudyHandle, tmp_path: Path, *, with_a_trial: bool
) -> None:
    (tmp_path / "spill").touch()
    tracker = MlflowTracker(handle, tmp_path / "spill")
    run_id = started(tracker, asked("s-1"))
    assert run_id is not None
    record(tracker, "cycle", curve_of(300))
    tracker.finish(ended(asked("s-1"), 300))
    assert connect(handle.tracking_uri).get_run(run_id).info.status == "RUNNING"
    (tmp_path / "spill").unlink()
    if with_a_trial:
        run_trial(tracker, asked("s-2"), curve_of(5), curve_of(5))
    else:
        tracker.catch_up()
        wait_until(lambda: connect(handle.tracking_uri).get_run(run_id).info.status == "FINISHED")
    assert connect(handle.tracking_uri).get_run(run_id).info.status == "FINISHED"
    assert len(history(handle, run_id, "cycle/loss")) == 300
    assert len(table_of(handle, run_id)["loss"]) == 300


def run_some(handle: StudyHandle, spill: Path, name: str) -> None:
    tracker = MlflowTracker(handle, spill)
    for number in range(2):
        run_trial(tracker, asked(f"{name}-{number}"), curve_of(60), curve_of(2000))


def test_two_processes_write_at_once(handle: StudyHandle, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=run_some, args=(handle, tmp_path / "spill", name)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    runs = connect(handle.tracking_uri).search_runs([handle.experiment_id], "tags.kind = 'search'")
    assert sorted(run.data.tags["trial_id"] for run in runs) == [f"{name}-{i}" for name in "ab" for i in range(2)]
    for run in runs:
        assert run.info.status == "FINISHED"
        assert len(history(handle, run.info.run_id, "range_test/loss")) == 60
        assert len(table_of(handle, run.info.run_id)["loss"]) == 2060


def wait_until(condition: Any, timeout_s: float = 20.0) -> None:
    limit = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


def test_a_password_is_not_repeated_in_the_log_of_a_worker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    away = StudyHandle(Address(f"http://me:se%40cret@127.0.0.1:{port}"), "0", "run")
    with caplog.at_level(logging.WARNING, logger="superconv_tune"):
        tracker = MlflowTracker(away, tmp_path / "spill")
        assert started(tracker, asked()) is None
        tracker.finish(ended(asked()))
    assert "to be tried again" in caplog.text
    assert "me:***@" in caplog.text
    assert "cret" not in caplog.text


def test_a_server_that_answers_nothing_costs_one_wait_and_no_trial_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("superconv_tune.tracking.worker.CALL_S", 1.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:  # accepts, as a server that hangs does
        handle = StudyHandle(Address(f"http://127.0.0.1:{deaf.getsockname()[1]}"), "0", "run")
        tracker = MlflowTracker(handle, tmp_path / "spill", finish_timeout_s=30.0)
        took = []
        for number in range(4):
            began = time.monotonic()
            request = asked(f"s-{number}")
            assert started(tracker, request) is None
            record(tracker, "cycle", curve_of(50))
            tracker.finish(ended(request, 50))
            took.append(time.monotonic() - began)
        assert took[0] < 10.0
        assert sum(took[1:]) < 3.0
        kept = {folder.name for folder in (tmp_path / "spill" / "run").iterdir()}
        assert kept == {f"s-{number}-1" for number in range(4)}


def test_a_server_that_answers_again_is_told_everything(
    handle: StudyHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = MlflowTracker(handle, tmp_path / "spill")
    tracker._is_silent = True
    assert started(tracker, asked("s-1")) is None
    record(tracker, "cycle", curve_of(50))
    tracker.finish(ended(asked("s-1"), 50))
    wait_until(lambda: not tracker._is_silent)
    run_trial(tracker, asked("s-2"), curve_of(5), curve_of(5))
    runs = connect(handle.tracking_uri).search_runs([handle.experiment_id], "tags.kind = 'search'")
    assert {run.data.tags["trial_id"]: run.info.status for run in runs} == {"s-1": "FINISHED", "s-2": "FINISHED"}
