"""The long run through the command line."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml

from superconv_tune.core.codec import encode
from superconv_tune.core.hyperparameters import Hyperparameters
from tests.end_to_end.conftest import Start

RECIPE = {
    "recipe_version": 1,
    "data": {"format": "digits"},
    "model": {"name": "mlp"},
    "schedule": "one_cycle",
    "precision": "fp32",
    "seed": 0,
    "params": {**encode(Hyperparameters(batch_size=64)), "max_lr": 0.1},
}


def written(folder: Path, **changes: object) -> None:
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | changes), encoding="utf-8")


def test_a_recipe_is_trained_and_its_result_told(start: Start, tmp_path: Path) -> None:
    written(tmp_path)
    out, err = (process := start("train", "recipe.yaml", "--epochs", "5")).communicate(timeout=100)
    assert process.returncode == 0, err
    lines = out.splitlines()
    assert lines[1].startswith("epoch 1 of 5: loss ")
    assert lines[1].endswith(" left")
    assert float(lines[-1].split("test ")[1].split(";")[0]) > 0.8
    assert "95 % interval" in lines[-1]
    result = json.loads((tmp_path / "long_run" / "result.json").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as database:
        status = dict(database.execute("select run_uuid, status from runs"))
        steps = database.execute(
            "select count(distinct step), count(*) from metrics where run_uuid = ? and key = 'cycle/loss'",
            (result["mlflow_run_id"],),
        ).fetchone()
    assert set(status.values()) == {"FINISHED"}
    assert steps == (len(result["losses"]), len(result["losses"]))
    _, err = (refused := start("train", "nothing.yaml", "--epochs", "5")).communicate(timeout=100)
    assert refused.returncode == 2
    assert "nothing.yaml" in err


def interrupted(process: subprocess.Popen[str]) -> str:
    """Interrupt a run after its third epoch; returns what it says on the standard error."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 3 "):
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    return err


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(start: Start, tmp_path: Path) -> None:
    written(tmp_path)
    command = ("train", "recipe.yaml", "--epochs", "80", "--tracking-uri", "none")
    assert (
        interrupted(start(*command))
        == "interrupted; the same command resumes after the last epoch saved in long_run/.\n"
    )
    out, err = (again := start(*command)).communicate(timeout=200)
    assert again.returncode == 0, err
    assert "resumes after epoch" in out
    assert "epoch 2 of 80" not in out
    assert not (tmp_path / "runs").exists()


def test_a_run_that_diverges_ends_with_1_and_one_message(start: Start, tmp_path: Path) -> None:
    written(tmp_path, schedule="constant")
    command = ("train", "recipe.yaml", "--epochs", "6", "--max-lr", "1e6", "--tracking-uri", "none")
    _, err = (process := start(*command)).communicate(timeout=100)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1
    assert "long_run/" in err
    assert json.loads((tmp_path / "long_run" / "result.json").read_text(encoding="utf-8"))["status"] in err


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_recipe_of_a_search_is_trained_in_the_experiment_of_that_search(
    start: Start, spec: Path, tmp_path: Path
) -> None:
    _, err = (search := start("search", str(spec), "--name", "it")).communicate(timeout=300)
    assert search.returncode == 0, err
    recipe = tmp_path / "runs" / "it" / "recipe.yaml"
    out, err = (process := start("train", str(recipe), "--epochs", "12")).communicate(timeout=200)
    assert process.returncode == 0, err
    assert float(out.splitlines()[-1].split("test ")[1].split(";")[0]) > 0.8
    with closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as database:
        kinds = database.execute(
            "select distinct e.name from runs r join experiments e using (experiment_id) "
            "join tags t on t.run_uuid = r.run_uuid where t.key = 'kind'"
        ).fetchall()
        long_runs = database.execute("select count(*) from tags where key = 'kind' and value = 'long_run'").fetchone()
    assert kinds == [("small",)]
    assert long_runs == (1,)


def losses(folder: Path) -> list[float]:
    found: list[float] = json.loads((folder / "result.json").read_text(encoding="utf-8"))["losses"]
    return found


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_train_as_one_does_and_go_on_after_ctrl_c(start: Start, tmp_path: Path) -> None:
    written(tmp_path)
    common = ("train", "recipe.yaml", "--epochs", "40", "--tracking-uri", "none")
    _, err = (alone := start(*common, "--output", "alone")).communicate(timeout=200)
    assert alone.returncode == 0, err
    two = (*common, "--output", "two", "--workers", "2")
    err = interrupted(start(*two))
    assert err == "interrupted; the same command resumes after the last epoch saved in two/.\n"
    out, err = (again := start(*two)).communicate(timeout=300)
    assert again.returncode == 0, err
    assert "2 processes, each with 32 of the 64 examples of every batch" in out
    assert "resumes after epoch" in out
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "alone"), rtol=1e-3, atol=1e-5)
    assert (tmp_path / "two" / "model" / "model.json").exists()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_are_one_run_in_mlflow(start: Start, tmp_path: Path) -> None:
    written(tmp_path)
    out, err = (process := start("train", "recipe.yaml", "--epochs", "3", "--workers", "2")).communicate(timeout=300)
    assert process.returncode == 0, err
    assert "95 % interval" in out
    result = json.loads((tmp_path / "long_run" / "result.json").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as database:
        status = [row[0] for row in database.execute("select status from runs")]
        steps = database.execute(
            "select count(distinct step), count(*) from metrics where run_uuid = ? and key = 'cycle/loss'",
            (result["mlflow_run_id"],),
        ).fetchone()
    assert status == ["FINISHED", "FINISHED"]  # the parent and its one attempt
    assert steps == (len(result["losses"]), len(result["losses"]))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_more_processes_than_there_is_room_for_are_refused(start: Start, tmp_path: Path) -> None:
    written(tmp_path, params=RECIPE["params"] | {"batch_size": 1024})  # type: ignore[operator]
    _, err = (process := start("train", "recipe.yaml", "--epochs", "2", "--workers", "512")).communicate(timeout=200)
    assert process.returncode == 2
    assert "--workers: 512 processes need 512 " in err
    assert not (tmp_path / "long_run").exists()
