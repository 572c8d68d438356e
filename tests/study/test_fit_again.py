"""The recipe of a fitted family: the model that it ends in is the one that was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import superconv_tune
from superconv_tune.core.errors import UserError
from superconv_tune.problems.prepare import prepare
from superconv_tune.spec.recipe_file import read_recipe
from superconv_tune.study.fit_again import fit_again
from superconv_tune.study.long_run import DRAFTS, RESULT


@pytest.mark.parametrize(("model", "fit"), [("trees", {"max_iter": 20}), ("linear", {})])
def test_the_model_in_the_folder_is_the_one_that_was_measured(
    model: str, fit: dict[str, object], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=np.digitize(x[:, 0] + 0.3 * x[:, 1] ** 2, [0.0, 0.8]))
    content = {
        "recipe_version": 2,
        "name": "fitted",
        "data": {"format": "npz", "path": "d.npz"},
        "model": model,
        "precision": "fp32",
        "seed": 3,
        "fit": fit,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    recipe, folder = read_recipe(tmp_path / "recipe.yaml"), tmp_path / "run"
    result = fit_again(recipe, folder)
    assert json.loads((folder / RESULT).read_text())["test"] == result.test
    arrays = prepare(recipe.question)[0].arrays
    assert arrays is not None
    said = superconv_tune.load(folder).predict(np.asarray(arrays.test.inputs))
    assert (said == arrays.test.targets).mean() == result.test
    assert not (folder / DRAFTS).exists()


def test_a_folder_that_cannot_be_written_is_refused_before_it_is_fitted(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.eye(3), y=np.arange(3))
    data = {"format": "npz", "path": "d.npz"}
    content = {
        "recipe_version": 2,
        "name": "f",
        "data": data,
        "model": "linear",
        "precision": "fp32",
        "seed": 3,
        "fit": {},
    }
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"--output: .* cannot be written"):
        fit_again(read_recipe(recipe), recipe / "run")
