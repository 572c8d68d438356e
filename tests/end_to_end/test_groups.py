"""Groups from the command to the long run: a table with a column, and a folder with ``person3_012.png``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.end_to_end.conftest import Start

PEOPLE = 60


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def verdict(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "runs" / name / "verdict.json").read_text(encoding="utf-8"))
    return content


def people(folder: Path) -> Path:
    """A table of measurements, of which each person has ten, and a habit that says nothing of other persons."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(PEOPLE), 10)
    label = rng.integers(0, 2, len(person))
    habit = rng.normal(size=(PEOPLE, 2))[person]
    frame = pd.DataFrame({"a": habit[:, 0], "b": habit[:, 1], "c": 2.0 * label + rng.normal(size=len(person))})
    frame["person"], frame["label"] = [f"p{number}" for number in person], np.array(["no", "yes"])[label]
    frame.to_csv(folder / "people.csv", index=False)
    return folder / "people.csv"


@pytest.mark.slow
def test_a_table_with_a_column_of_groups(tmp_path: Path, start: Start) -> None:
    table = people(tmp_path)
    words = ["--data", str(table), "--group", "person", "--target", "0.6", "--budget", "40s", "--name", "it"]
    out = ended(start("search", *words, "--debug", "--tracking-uri", "none", "--baseline", "none"))
    assert "Groups that stay together: 42 in the training part, 9 in the validation part, 9 in the test part." in out
    assert "(9 groups)" in out
    found = verdict(tmp_path, "it")
    assert found["environment"]["data"]["test_groups"] == 9
    assert any("on the test part of 9 groups" in reason for reason in found["reasons"])
    estimate = found["estimate"]
    assert estimate["high"] - estimate["low"] > 0.25  # nine persons, whatever the number of lines
    assert "90 examples of 9 groups" in (tmp_path / "runs" / "it" / "report.html").read_text(encoding="utf-8")
    recipe = yaml.safe_load((tmp_path / "runs" / "it" / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["split"]["group"] == "person"


def photographs(folder: Path) -> Path:
    """Pictures of persons in two classes, twelve of each person."""
    rng = np.random.default_rng(0)
    for number in range(PEOPLE * 12):
        place = folder / ("day", "night")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, size=(8, 8, 3)) + 120 * (number % 2 == 0)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"person{number // 12}_{number % 12:03d}.png")
    return folder


@pytest.mark.slow
def test_a_folder_whose_names_have_groups_is_searched_verified_and_trained(tmp_path: Path, start: Start) -> None:
    pictures = photographs(tmp_path / "pictures")
    common = ["--debug", "--tracking-uri", "none", "--model", "mlp", "--baseline", "none", "--budget", "60s"]
    warned = ended(start("search", "--data", str(pictures), *common, "--name", "plain"))
    pattern = warned.partition("--group '")[2].partition("'")[0]
    out = ended(
        start("search", "--data", str(pictures), "--group", pattern, "--target", "0.6", *common, "--name", "it")
    )
    assert "running number" not in out
    assert "9 in the test part" in out
    split = verdict(tmp_path, "it")["environment"]["data"]["split_digest"]
    assert split != verdict(tmp_path, "plain")["environment"]["data"]["split_digest"]
    assert "AGREES" in ended(start("verify", "it", "--seeds", "2"))
    recipe = tmp_path / "runs" / "it" / "recipe.yaml"
    trained = ended(start("train", str(recipe), "--epochs", "2", "--tracking-uri", "none", "--output", "long"))
    assert "test items of 9 groups" in trained
    result = json.loads((tmp_path / "long" / "result.json").read_text(encoding="utf-8"))
    assert result["test_groups"] == 9
    assert result["test_high"] - result["test_low"] > 0.25
