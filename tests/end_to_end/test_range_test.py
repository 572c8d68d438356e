"""The range test alone, through the real command."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from matplotlib.image import imread

from tests.end_to_end.conftest import Start

FAST = ("--model", "mlp", "--batch-size", "64")


def found_in(folder: Path) -> tuple[Path, dict[str, Any]]:
    (place,) = folder.glob("runs/*/range_test.json")
    return place.parent, json.loads(place.read_text(encoding="utf-8"))


def test_the_digits_get_a_band_for_every_length_and_everything_is_kept(start: Start, tmp_path: Path) -> None:
    process = start("range_test", *FAST, "--epochs", "2", "--epochs", "20", "--edge")
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows if len(row) == 3 and row[0] in ("2", "20")] == ["2", "20"]
    assert "valley" in out

    folder, found = found_in(tmp_path)
    assert found["refusal"] is None
    assert 0.01 < found["max_lr"]["10"] < 10.0
    assert imread(folder / "range_test.png").std() > 0
    ramps = pq.read_table(folder / "range_test.parquet").to_pandas()
    assert set(ramps.ramp) == {"sweeps", "ramps"}
    assert set(ramps.replicate) == {0, 1, 2}

    with closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as database:
        status = dict(database.execute("select name, status from runs"))
        metrics = dict(
            database.execute("select key, value from metrics join runs using (run_uuid) where name = ?", (folder.name,))
        )
    assert set(status.values()) == {"FINISHED"}
    assert {"ramp-0", "ramp-1", "ramp-2", folder.name} <= set(status)
    assert any(name.startswith("probe-") for name in status)
    assert metrics["max_lr/epochs_10"] == pytest.approx(found["max_lr"]["10"])


def test_a_ramp_as_smith_did_it_needs_neither_probes_nor_mlflow(start: Start, tmp_path: Path) -> None:
    ramp = ("--ramp", "linear", "--low", "0", "--high", "3", "--steps", "120", "--replicates", "1", "--smooth", "0.04")
    process = start("range_test", *FAST, *ramp, "--rule", "lowest", "--tracking-uri", "none")
    _, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    _, found = found_in(tmp_path)
    assert found["probes"] == []
    assert len(set(found["max_lr"].values())) == 1
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_a_wrong_option_is_one_message_and_leaves_nothing(start: Start, tmp_path: Path) -> None:
    process = start("range_test", "--rule", "vally", "--low", "1", "--high", "0.1")
    _, err = process.communicate(timeout=100)
    assert process.returncode == 2
    assert "valley" in err
    assert "Swap them" in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())
