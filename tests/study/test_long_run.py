"""The long run: from a recipe, and the same bit for bit whether it was interrupted or not."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import yaml

from superconv_tune.core.codec import encode
from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.study.long_run import RESULT, WEIGHTS, follow, open_run

PARAMS = Hyperparameters(cycle_epochs=2.0, batch_size=64)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    content = {
        "recipe_version": 1,
        "data": {"format": "digits"},
        "model": {"name": "resnet9", "width": 0.05},
        "schedule": "one_cycle",
        "precision": "fp32",
        "seed": 3,
        "params": {**encode(PARAMS), "max_lr": 0.1, "max_momentum": 0.95},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def result(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / RESULT).read_text())
    return content


def test_an_interrupted_run_has_the_same_curve_bit_for_bit(recipe: Path, tmp_path: Path) -> None:
    whole = open_run(recipe, 4.0, None, tmp_path / "whole")
    for _ in follow(whole):
        pass
    cut = open_run(recipe, 4.0, None, tmp_path / "cut")
    for _ in itertools.islice(follow(cut), 2):
        pass
    assert not (tmp_path / "cut" / RESULT).exists()
    for _ in follow(cut):
        pass
    assert result(tmp_path / "cut") == result(tmp_path / "whole")
    losses = result(tmp_path / "whole")["losses"]
    assert isinstance(losses, list)
    assert len(losses) == whole.plan.steps
    assert (tmp_path / "whole" / WEIGHTS).exists()


def test_a_longer_cycle_peaks_higher_for_sgd(recipe: Path, tmp_path: Path) -> None:
    assert open_run(recipe, 2.0, None, tmp_path / "a").plan.max_lr == pytest.approx(0.1)
    assert 0.1 < open_run(recipe, 8.0, None, tmp_path / "b").plan.max_lr < 0.2
    assert open_run(recipe, 8.0, 0.7, tmp_path / "c").plan.max_lr == 0.7


def test_another_plan_in_the_same_folder_is_refused(recipe: Path, tmp_path: Path) -> None:
    next(follow(open_run(recipe, 4.0, None, tmp_path / "run")))
    with pytest.raises(UserError, match="another plan"):
        next(follow(open_run(recipe, 5.0, None, tmp_path / "run")))


@pytest.mark.parametrize("text", ["", "a: [", "recipe_version: 1\n", "recipe_version: 7\n"])
def test_what_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="recipe"):
        open_run(path, 1.0, None, tmp_path)
