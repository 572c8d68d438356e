"""``search --debug --tracking-uri none`` where neither Ray nor MLflow can be imported; breakpoints in it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from benchmarks.servers.nodes import ROOT, SETTINGS
from superconv_tune.core.bits import unpack
from superconv_tune.journal.journal import Journal
from superconv_tune.problems.prepare import prepare
from superconv_tune.record.events import Observed
from superconv_tune.spec.load import load_spec

# Python imports this at its start, before the command. Neither the packages nor their versions are to be found.
WITHOUT = """
import importlib.metadata
import sys

GONE = {"ray", "mlflow"}


class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def version(package, known=importlib.metadata.version):
    if package in GONE:
        raise importlib.metadata.PackageNotFoundError(package)
    return known(package)


sys.meta_path.insert(0, Gone())
importlib.metadata.version = version
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Without Ray and MLflow."""
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "sitecustomize.py").write_text(WITHOUT, encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
    return kept | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "gone"), str(ROOT)])}


def ran(
    folder: Path, environment: dict[str, str], *words: str, typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, input=typed,
        timeout=120, check=False,
    )  # fmt: skip


def test_the_packages_are_really_gone(tmp_path: Path, environment: dict[str, str]) -> None:
    for package in ("ray", "mlflow"):
        done = subprocess.run(
            [sys.executable, "-c", f"import {package}"], env=environment, capture_output=True, text=True, check=False
        )
        assert "ModuleNotFoundError" in done.stderr


def test_a_search_without_ray_and_mlflow(tmp_path: Path, environment: dict[str, str]) -> None:
    words = ["--debug", "--tracking-uri", "none", "--model", "mlp", "--target", "0.8", "--budget", "45s"]
    told = ["--on-end", "cat > told.json; exit 3", "--open"]
    done = ran(tmp_path, environment | {"DISPLAY": "", "WAYLAND_DISPLAY": ""}, "superconv_tune.search", *words, *told,
               "--name", "it")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "one trial after the other in this process, without Ray" in done.stdout
    assert "ray not installed" in done.stdout
    assert "curves       not recorded (--tracking-uri none)" in done.stdout
    verdict = json.loads((tmp_path / "runs" / "it" / "verdict.json").read_text(encoding="utf-8"))
    jsonschema.validate(
        verdict, json.loads(files("superconv_tune.reporting").joinpath("verdict.schema.json").read_text())
    )
    assert verdict["trials"]["finished"] >= 1
    assert json.loads((tmp_path / "told.json").read_text(encoding="utf-8")) == verdict
    assert "--on-end: the command ended with exit code 3. The study is complete." in done.stderr
    assert "--open: there is no browser on this machine" in done.stdout
    assert verdict["trials"]["code_error"] == 0
    assert verdict["environment"]["versions"]["ray"] is None
    assert verdict["mlflow"]["run_id"] is None
    again = ran(tmp_path, environment, "superconv_tune.report", "it")
    assert again.returncode == 0, again.stderr
    assert_predicted(tmp_path, environment)
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def assert_predicted(folder: Path, environment: dict[str, str]) -> None:
    """The kept model repeats what its trial recorded of every test item."""
    arrays = prepare(load_spec(None, {"model": "mlp"}))[0].arrays
    assert arrays is not None
    np.save(folder / "test.npy", arrays.test.inputs)
    done = ran(folder, environment, "superconv_tune.predict", "runs/it", "test.npy")
    assert done.returncode == 0, done.stderr
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        right = [int(row["prediction"]) for row in csv.DictReader(file)] == arrays.test.targets
    with Journal(f"sqlite:///{folder / 'runs' / 'studies.db'}") as journal:
        outcomes = [event.outcome for event in journal.events("it") if isinstance(event, Observed)]
    recorded = [unpack(each.test_correct, each.test_items) for each in outcomes if each.test_correct]
    assert any(np.array_equal(right, bits) for bits in recorded)


def test_a_range_test_without_them(tmp_path: Path, environment: dict[str, str]) -> None:
    words = ["--tracking-uri", "none", "--model", "mlp", "--replicates", "1", "--rule", "lowest", "--name", "ramp"]
    done = ran(tmp_path, environment, "superconv_tune.range_test", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "runs" / "ramp" / "range_test.json").read_text(encoding="utf-8"))["max_lr"]


STOPPED = """
import numpy as np
from torch import nn
from superconv_tune.problems.user import Task

class Model(nn.Linear):
    stopped = False

    def forward(self, inputs):
        if self.training and not Model.stopped and {journal!r} and __import__("pathlib").Path({journal!r}).exists():
            Model.stopped = True
            breakpoint()
        return super().forward(inputs)

def task():
    x = np.random.default_rng(0).standard_normal((600, 3)).astype("float32")
    return Task(train=(x, (x.sum(1) > 0).astype(int)), model=lambda: Model(3, 2))
"""


def test_a_breakpoint_in_the_users_model_stops_a_trial(tmp_path: Path, environment: dict[str, str]) -> None:
    journal = str(tmp_path / "runs" / "studies.db")
    (tmp_path / "own.py").write_text(STOPPED.format(journal=journal), encoding="utf-8")
    content = {"name": "own", "task": {"factory": "own.py:task"}, "target": 0.7, "budget": 40, "baselines": "none"}
    (tmp_path / "own.json").write_text(json.dumps(content), encoding="utf-8")
    words = ["own.json", "--debug", "--tracking-uri", "none", "--name", "it"]
    typed = "p 'shape', tuple(inputs.shape)\nc\n"
    done = ran(tmp_path, environment, "superconv_tune.search", *words, typed=typed)
    assert done.returncode == 0, done.stderr
    assert "('shape', (" in done.stdout
    verdict = json.loads((tmp_path / "runs" / "it" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["trials"]["finished"] >= 1
