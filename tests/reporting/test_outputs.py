import csv
import json
import math
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from superconv_tune.core.curve import COLUMNS, Curve
from superconv_tune.core.files import write_atomically
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.outputs import write_outputs, write_ramps
from superconv_tune.reporting.verdict_json import verdict_json

AGAIN = "python -m superconv_tune.report one"


def test_every_file_is_written_and_no_draft_is_left(findings: Findings, tmp_path: Path) -> None:
    written = write_outputs(findings, tmp_path / "runs" / "one", AGAIN)

    names = [path.name for path in written]
    assert names == [
        "verdict.json",
        "recipe.yaml",
        "leaderboard.csv",
        "trials.parquet",
        "trials.csv",
        "curves.parquet",
        "report.html",
    ]
    assert sorted(path.name for path in (tmp_path / "runs" / "one").iterdir()) == sorted(names)
    assert json.loads(written[0].read_text()) == verdict_json(findings)


@pytest.mark.parametrize("name", ["empty_findings", "failed_findings"])
def test_without_a_winner_there_is_no_recipe(
    name: str, every_findings: Callable[[str], Findings], tmp_path: Path
) -> None:
    write_outputs(every_findings(name), tmp_path, AGAIN)

    assert not (tmp_path / "recipe.yaml").exists()
    assert pq.read_table(tmp_path / "trials.parquet").num_rows == len(every_findings(name).study.requests)
    assert pq.read_table(tmp_path / "curves.parquet").column_names == ["trial_id", "phase", *COLUMNS]


def test_writing_again_replaces_the_files(findings: Findings, empty_findings: Findings, tmp_path: Path) -> None:
    write_outputs(empty_findings, tmp_path, AGAIN)
    write_outputs(findings, tmp_path, AGAIN)

    assert json.loads((tmp_path / "verdict.json").read_text())["verdict"] == "demonstrated"


def test_no_file_shows_the_password_of_the_store(findings: Findings, tmp_path: Path) -> None:
    for path in write_outputs(findings, tmp_path, AGAIN):
        assert b"hunter2" not in path.read_bytes()


def test_the_trial_table_has_a_row_per_trial_and_its_own_range_test(findings: Findings, tmp_path: Path) -> None:
    write_outputs(findings, tmp_path, AGAIN)
    table = pq.read_table(tmp_path / "trials.parquet").to_pylist()
    by_id = {row["trial_id"]: row for row in table}

    assert len(table) == len(findings.study.requests) == 20
    assert set(by_id["search-00"]) >= {field.name for field in fields(Hyperparameters)}
    assert by_id["search-00"]["range_test_lr_at_minimum"] == 0.42
    assert by_id["confirm-00"]["range_test_lr_at_minimum"] is None
    assert (by_id["search-05"]["status"], by_id["search-05"]["validation"]) == ("diverged", None)
    assert (by_id["search-99"]["status"], by_id["search-99"]["objective"]) == ("running", None)


@pytest.mark.parametrize("name", ["findings", "empty_findings", "failed_findings", "hostile_findings"])
def test_the_trials_as_csv_say_what_the_parquet_file_says(
    name: str, every_findings: Callable[[str], Findings], tmp_path: Path
) -> None:
    write_outputs(every_findings(name), tmp_path, AGAIN)
    exact = pq.read_table(tmp_path / "trials.parquet").to_pylist()
    with (tmp_path / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == len(exact) == len(every_findings(name).study.requests)
    for row, true in zip(rows, exact, strict=True):
        assert {column: _as_in_csv(value, row[column]) for column, value in true.items()} == row


def _as_in_csv(value: object, text: str) -> str:
    """The text of a value; that of a number is any that is read as the same number."""
    if isinstance(value, float):
        return text if float(text) == value or math.isnan(value) else repr(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_the_curve_table_gives_back_every_kept_step(findings: Findings, tmp_path: Path) -> None:
    write_outputs(findings, tmp_path, AGAIN)
    table = pq.read_table(
        tmp_path / "curves.parquet", filters=[("trial_id", "=", "confirm-01"), ("phase", "=", "cycle")]
    )
    curve = findings.study.outcomes["confirm-01"].cycle_curve

    assert curve is not None
    for column in COLUMNS:
        np.testing.assert_array_equal(table[column].to_numpy(), getattr(curve, column))


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "verdict.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_ramps_of_a_range_test_have_a_row_per_step(tmp_path: Path) -> None:
    def ramp(*losses: float) -> Curve:
        steps = np.arange(float(len(losses)))
        return Curve(step=steps, lr=0.1 + steps, momentum=steps, loss=np.array(losses), elapsed_s=steps)

    write_ramps(tmp_path / "ramps.parquet", {"sweeps": [ramp(3.0, 2.0)], "ramps": [ramp(1.0), ramp(0.5)]})
    assert pq.read_table(tmp_path / "ramps.parquet").to_pylist() == [
        {"ramp": "sweeps", "replicate": 0, "lr": 0.1, "loss": 3.0},
        {"ramp": "sweeps", "replicate": 0, "lr": 1.1, "loss": 2.0},
        {"ramp": "ramps", "replicate": 0, "lr": 0.1, "loss": 1.0},
        {"ramp": "ramps", "replicate": 1, "lr": 0.1, "loss": 0.5},
    ]
