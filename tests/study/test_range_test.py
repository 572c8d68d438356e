"""Options of the range test that are refused before anything starts."""

from __future__ import annotations

import errno
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.lr.lr_range import HALF_LIFE_SHARE
from superconv_tune.spec.addresses import address_of
from superconv_tune.spec.load import load_spec
from superconv_tune.study.range_test import Options, range_test
from superconv_tune.tracking.client import connect
from superconv_tune.tracking.study_run import check
from superconv_tune.trial.trackers import NullTracker

PLAIN = Options("probes", "exponential", None, None, 0, HALF_LIFE_SHARE, 3, None, edge=False)
SHORT = replace(PLAIN, rule="valley", low=1e-3, high=1.0, steps=60, replicates=1)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (replace(PLAIN, rule="vally"), "valley"),
        (replace(PLAIN, low=1.0, high=0.1), "Swap them"),
        (replace(PLAIN, low=0.1), "go together"),
        (replace(PLAIN, high=0.1), "go together"),
        (replace(PLAIN, low=0.0, high=1.0), "--ramp linear"),
        (replace(PLAIN, steps=5), "cannot be read"),
    ],
)
def test_a_wrong_option_is_told_and_leaves_nothing(tmp_path: Path, options: Options, word: str) -> None:
    spec = load_spec(None, {"output": str(tmp_path / "runs"), "tracking_uri": "none"})
    with pytest.raises(UserError, match=word):
        range_test(spec, options, None, (1.0,), print)
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_taken_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    spec = load_spec(None, {"output": str(tmp_path), "tracking_uri": "none"})
    with pytest.raises(UserError, match="Choose another name"):
        range_test(spec, PLAIN, "mine", (1.0,), print)


def test_what_was_found_is_told_though_mlflow_fails_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    store = tmp_path / "mlflow.db"
    check(address_of(store))
    connect(address_of(store)).create_experiment("digits", artifact_location="s3://bucket/files")
    spec = load_spec(None, {"output": str(tmp_path / "runs"), "tracking_uri": address_of(store)})
    said: list[str] = []
    assert range_test(spec, SHORT, "mine", (1.0,), said.append)
    assert any("MLflow has not received all of this test" in words for words in said)
    assert said[-1].endswith(f"files: {tmp_path}/runs/mine/")


def test_what_was_found_is_told_though_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("superconv_tune.study.range_test.write_ramps", full)
    spec = load_spec(None, {"output": str(tmp_path / "runs"), "tracking_uri": "none"})
    said: list[str] = []
    with pytest.raises(OSError, match="No space"):
        range_test(spec, SHORT, "mine", (1.0,), said.append)
    assert "What each rule reads off the ramps" in said[-1]
    assert (tmp_path / "runs" / "mine" / "range_test.json").exists()


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def test_a_test_that_was_interrupted_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superconv_tune.study.range_test.find", interrupted)
    spec = load_spec(None, {"output": str(tmp_path / "runs"), "tracking_uri": "none"})
    for _ in range(2):  # the same command begins again
        with pytest.raises(KeyboardInterrupt):
            range_test(spec, PLAIN, "mine", (1.0,), print)
    assert not (tmp_path / "runs" / "mine").exists()


def test_what_mlflow_did_not_take_at_first_is_sent_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Path] = []

    def recover(_: object, spill_dir: Path) -> int:
        tried.append(spill_dir)
        return 1

    monkeypatch.setattr("superconv_tune.study.range_test.find", interrupted)
    monkeypatch.setattr("superconv_tune.study.range_test.check", lambda *_: None)
    monkeypatch.setattr("superconv_tune.tracking.study_run.open_study", lambda *_: None)
    monkeypatch.setattr("superconv_tune.tracking.study_run.close_study", lambda *_, **__: None)
    monkeypatch.setattr("superconv_tune.tracking.worker.MlflowTracker", lambda *_: NullTracker())
    monkeypatch.setattr("superconv_tune.tracking.worker.recover", recover)
    spec = load_spec(None, {"output": str(tmp_path), "tracking_uri": address_of(tmp_path / "mlflow.db")})
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        range_test(spec, PLAIN, "mine", (1.0,), said.append)
    assert tried == [tmp_path / "mine" / "spill"]
    assert "MLflow has not received all of this test" in said[-1]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spec = load_spec(None, {"output": str(tmp_path / "file"), "tracking_uri": "none"})
    with pytest.raises(UserError, match=r"--output: .* cannot be written"):
        range_test(spec, PLAIN, "mine", (1.0,), print)
