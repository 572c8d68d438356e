"""A frozen and a tuned network from the command line, and the long run with the recipe."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

from superconv_tune.data import cache
from superconv_tune.data.formats import load
from tests.end_to_end.conftest import Start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NETWORK = """
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 10)
    )
"""
SPEC = """
name: weights
data: digits
model:
  - {factory: "net.py:net", head: linear, freeze: backbone}
  - {factory: "net.py:net", head: linear, layer_decay: 0.5, size: 12}
target: 0.8
budget: 75s
baselines: none
"""


def done(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors[-3000:]
    return output + errors


def test_features_and_rates_of_blocks_reach_a_verdict(tmp_path: Path, start: Start) -> None:
    (tmp_path / "net.py").write_text(NETWORK, encoding="utf-8")
    (tmp_path / "weights.yaml").write_text(SPEC, encoding="utf-8")
    places = {cache.PLACE: str(tmp_path / "cache")}
    output = done(start("search", "weights.yaml", "--debug", "--tracking-uri", "none", **places))
    assert "Only the head is trained, on 144 features" in output
    verdicts = list((tmp_path / "runs").glob("*/verdict.json"))
    assert len(verdicts) == 1
    verdict = json.loads(verdicts[0].read_text(encoding="utf-8"))
    assert any("trained from scratch" in words for words in verdict["warnings"])
    assert {row["family"] for row in verdict["leaderboard"]} == {"net", "net 2"}
    recipe = verdicts[0].with_name("recipe.yaml")
    model = yaml.safe_load(recipe.read_text(encoding="utf-8"))["model"]
    assert model["head"] == "linear"
    assert "freeze" in model or "layer_decay" in model
    done(start("train", str(recipe), "--epochs", "2", "--tracking-uri", "none", **places))
    raw = load("digits", None, {})
    np.save(tmp_path / "new.npy", np.asarray(raw.train.inputs))
    for folder in (str(recipe.parent), "long_run"):
        said = done(start("predict", folder, "new.npy", "--onnx", f"{tmp_path}/model.onnx", **places))
        assert "Wrote 1,797 predictions" in said
        rows = csv.DictReader((tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines())
        right = np.array([int(row["prediction"]) for row in rows]) == np.asarray(raw.train.targets)
        assert right.mean() > 0.7  # most of these items were trained on
        assert (tmp_path / "model.onnx").stat().st_size > 0
