"""Families on the command line: trees and a line answer for a table, and their recipe is fitted again."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from superconv_tune.commands.predict import app
from superconv_tune.spec.recipe_file import read_recipe


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The sign of a product, which no line tells."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((900, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{'same' if a * b > 0 else 'apart'}" for a, b, c in inputs]
    (tmp_path / "signs.csv").write_text("\n".join(["a,b,c,signs", *lines]) + "\n", encoding="utf-8")
    return tmp_path / "signs.csv"


def ran(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_target_that_trees_reach_and_a_line_does_not_is_demonstrated(table: Path) -> None:
    folder = table.parent
    words = ["--data", str(table), "--label", "last", "--model", "linear,trees", "--target", "0.85"]
    # Fits take a second; the budget only has to outlast the imports of a busy machine.
    said = ran(folder, "superconv_tune.search", *words, "--budget", "90s", "--name", "it", "--debug", "--tracking-uri",
               "none")  # fmt: skip
    assert "DEMONSTRATED" in said
    study = folder / "runs" / "it"
    verdict = json.loads((study / "verdict.json").read_text(encoding="utf-8"))
    jsonschema.validate(
        verdict, json.loads(files("superconv_tune.reporting").joinpath("verdict.schema.json").read_text())
    )
    assert verdict["reachable"] is None  # of fits there are no longer ones
    rows = list(csv.DictReader((study / "leaderboard.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["family"] for row in rows] == [row["family"] for row in verdict["leaderboard"]] == ["trees", "linear"]
    assert [row["part"] for row in rows] == ["test", "validation"]
    assert float(rows[1]["value"]) < 0.7
    recipe = read_recipe(study / "recipe.yaml")
    assert recipe.question.model is not None
    assert (recipe.question.model.name, recipe.fit, recipe.params) == ("trees", {}, None)
    said_of = folder / "predictions.csv"
    done = CliRunner().invoke(app, [str(study), str(table), "--output", str(said_of)])
    assert done.exit_code == 0, done.output
    found = [row["prediction"] for row in csv.DictReader(said_of.read_text(encoding="utf-8").splitlines())]
    labels = [row["signs"] for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())]
    assert np.mean(np.array(found) == np.array(labels)) > 0.9
    ran(folder, "superconv_tune.train", "runs/it/recipe.yaml", "--epochs", "1")
    result = json.loads((folder / "long_run" / "result.json").read_text(encoding="utf-8"))
    assert result["test"] == pytest.approx(verdict["estimate"]["value"], abs=0.03)
