"""One command on real data gives a verdict: the whole chain, as a user runs it."""

from __future__ import annotations

import json
import signal
import time
from importlib.resources import files
from pathlib import Path

import jsonschema
import mlflow.pyfunc
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

import superconv_tune
from superconv_tune.core.bits import unpack
from superconv_tune.journal.journal import Journal
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.events import Observed
from superconv_tune.spec.load import load_spec
from superconv_tune.tracking.client import connect
from tests.end_to_end.conftest import Start

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

SERIES = ("cycle/loss", "cycle/lr", "cycle/momentum")
WAIT_S = 120.0


def journal(folder: Path) -> Journal:
    return Journal(f"sqlite:///{folder / 'runs' / 'studies.db'}")


def wait_for_trials(folder: Path, count: int) -> None:
    """Until the journal holds so many finished search trials."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if (folder / "runs" / "studies.db").exists():
            with journal(folder) as entries:
                events = entries.events("it")
            if sum(isinstance(e, Observed) and e.outcome.validation is not None for e in events) >= count:
                return
        time.sleep(0.5)
    raise AssertionError(f"{count} trials did not finish within {WAIT_S:g} s")


def test_a_search_ends_with_a_verdict_and_every_curve(start: Start, spec: Path, tmp_path: Path) -> None:
    out, err = (process := start("search", str(spec), "--name", "it")).communicate(timeout=200)
    assert process.returncode == 0, err
    assert "DEMONSTRATED" in out
    folder = tmp_path / "runs" / "it"
    verdict = json.loads((folder / "verdict.json").read_text())
    schema = json.loads(files("superconv_tune.reporting").joinpath("verdict.schema.json").read_text())
    jsonschema.validate(verdict, schema)
    assert verdict["verdict"] == "demonstrated"
    assert any("a linear model" in reason for reason in verdict["reasons"])
    assert "Preflight: ok" in (folder / "search.log").read_text(encoding="utf-8")
    assert "ok       data" in out
    assert verdict["estimate"]["low"] > 0.80
    assert len(verdict["confirmation"]) >= 3
    assert 0.0 < verdict["budget"]["training_share"] <= 1.0
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert recipe["params"]["max_lr"] > 0.0
    check_mlflow(tmp_path)
    check_model(tmp_path)
    check_verify(start, tmp_path)


def check_model(folder: Path) -> None:
    """The kept model, loaded by us and by MLflow, repeats what its trial recorded on a worker."""
    with journal(folder) as entries:
        events = entries.events("it")
    recorded = [e.outcome for e in events if isinstance(e, Observed) and e.outcome.test_correct]
    arrays = prepare(load_spec(folder / "small.yaml", {}))[0].arrays
    assert arrays is not None
    predictor = superconv_tune.load(folder / "runs" / "it")
    right = predictor.predict(arrays.test.inputs) == arrays.test.targets
    assert any(np.array_equal(right, unpack(each.test_correct or "", each.test_items)) for each in recorded)
    client = connect(uri := f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    (version,) = client.search_model_versions("name = 'small'")
    mlflow.set_tracking_uri(uri)
    loaded = mlflow.pyfunc.load_model(f"models:/small/{version.version}")
    np.testing.assert_array_equal(loaded.predict(arrays.test.inputs), predictor.predict(arrays.test.inputs))
    assert not (folder / "runs" / "it" / "drafts").exists()


def check_verify(start: Start, folder: Path) -> None:
    """A seed of the study gives the same to the last digit in another process, and fresh seeds agree with it."""
    out, err = (process := start("verify", "it", "--seeds", "2")).communicate(timeout=100)
    assert process.returncode == 0, err
    assert "AGREES" in out
    found = json.loads((folder / "runs" / "it" / "verification.json").read_text())
    assert found["same_seed"] == 0.0
    assert len(found["fresh"]) == 2
    assert found["low"] <= 0.0 <= found["high"]


def check_mlflow(folder: Path) -> None:
    """Every trial is a child of the one parent, and its curves are as long as what it trained."""
    with journal(folder) as entries:
        events = entries.events("it")
    outcomes = {e.outcome.trial_id: e.outcome for e in events if isinstance(e, Observed)}
    assert outcomes
    client = connect(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "small"]
    for outcome in outcomes.values():
        assert outcome.mlflow_run_id is not None
        run = client.get_run(outcome.mlflow_run_id)
        assert run.info.status == "FINISHED"
        assert run.info.experiment_id == experiment.experiment_id
        if outcome.steps:
            lengths = [len(client.get_metric_history(run.info.run_id, name)) for name in SERIES]
            assert lengths == [outcome.steps] * len(SERIES)
            table = pq.read_table(client.download_artifacts(run.info.run_id, "curves.parquet"))
            assert table.column("phase").to_pylist().count("cycle") == outcome.steps
    parents = {client.get_run(o.mlflow_run_id).data.tags["mlflow.parentRunId"] for o in outcomes.values()}
    assert len(parents) == 1
    names = {item.path for item in client.list_artifacts(parents.pop())}
    assert {"report.html", "verdict.json", "recipe.yaml"} <= names


def test_ctrl_c_reports_what_was_learned(start: Start, spec: Path, tmp_path: Path) -> None:
    ended = start("search", str(spec), "--name", "it", "--target", "none", "--trials", "40")
    wait_for_trials(tmp_path, 2)
    ended.send_signal(signal.SIGINT)
    out, err = ended.communicate(timeout=60)
    assert ended.returncode == 130, err
    assert "estimate" in out or "validation" in out
    verdict = json.loads((tmp_path / "runs" / "it" / "verdict.json").read_text())
    assert verdict["verdict"] is None
    assert verdict["trials"]["finished"] >= 2


def test_a_study_is_rendered_again_and_refuses_to_be_begun_again(start: Start, spec: Path, tmp_path: Path) -> None:
    first = start("search", str(spec), "--name", "it", "--trials", "2")
    assert first.communicate(timeout=200)
    page = tmp_path / "runs" / "it" / "report.html"
    page.unlink()
    again = start("report", "it")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert page.exists()
    assert out.startswith("DEMONSTRATED")
    beside = start("report", "it", "it")
    out, err = beside.communicate(timeout=60)
    assert beside.returncode == 0, err
    assert out.count("Demonstrated") == 2
    assert (tmp_path / "runs" / "side-by-side.html").exists()
    twice = start("search", str(spec), "--name", "it")
    _, err = twice.communicate(timeout=60)
    assert twice.returncode == 2
    assert "exists" in err
    assert "Traceback" not in err
