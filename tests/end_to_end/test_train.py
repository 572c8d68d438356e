"""The long run through the command line."""

from __future__ import annotations

from pathlib import Path

import yaml

from superconv_tune.core.codec import encode
from superconv_tune.core.hyperparameters import Hyperparameters
from tests.end_to_end.conftest import Start


def test_a_recipe_is_trained_and_its_result_told(start: Start, tmp_path: Path) -> None:
    recipe = {
        "recipe_version": 1,
        "data": {"format": "digits"},
        "model": {"name": "mlp"},
        "schedule": "one_cycle",
        "precision": "fp32",
        "seed": 0,
        "params": {**encode(Hyperparameters(batch_size=64)), "max_lr": 0.1},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    out, err = (process := start("train", "recipe.yaml", "--epochs", "5")).communicate(timeout=100)
    assert process.returncode == 0, err
    lines = out.splitlines()
    assert lines[1].startswith("epoch 1 of 5")
    assert float(lines[-1].split("test ")[1].split(";")[0]) > 0.8
    _, err = (refused := start("train", "nothing.yaml", "--epochs", "5")).communicate(timeout=100)
    assert refused.returncode == 2
    assert "nothing.yaml" in err
