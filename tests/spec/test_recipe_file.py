"""recipe.yaml: what is written reads back, old files read, and nothing in a file is ignored."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from superconv_tune.core.errors import UserError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.spec.recipe_file import RecipeFile, RecipeParams, read_recipe, recipe_text
from superconv_tune.spec.spec import ExperimentSpec

GOLDEN = Path(__file__).parents[1] / "golden" / "recipe_v1.yaml"

PARAMS: dict[str, Any] = {
    "cycle_epochs": 7,
    "base_momentum": 0.85,
    "momentum_width": 0.1,
    "weight_decay": 1e-4,
    "pct_start": 0.25,
    "div_factor": 20.0,
    "final_div_factor": 1e3,
    "batch_size": 96,
    "label_smoothing": 0.05,
    "max_lr": 0.123456789012345,
}


def recipe_of(**question: Any) -> RecipeFile:
    return RecipeFile(
        question=ExperimentSpec.model_validate({"name": "mine", "data": "digits", **question}),
        precision="bf16",
        seed=2**40,
        params=RecipeParams(**PARAMS),
    )


def written(folder: Path, content: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def content_of(recipe: RecipeFile) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(recipe_text(recipe))
    return content


def messages(path: Path) -> list[str]:
    with pytest.raises(UserError) as refused:
        read_recipe(path)
    assert all(message.startswith(str(path)) for message in refused.value.messages)
    return [message.removeprefix(f"{path}: ") for message in refused.value.messages]


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"model": {"name": "resnet9", "width": 0.25}, "split": {"test": 0.3, "seed": 4}},
        {"data": {"format": "mnist1d", "args": {"seed": 3}}, "optimizer": "adamw", "loss": "balanced_cross_entropy"},
        {"data": None, "task": {"factory": "my_package.problem:task", "args": {"ä": [1, None]}}, "metric": "rmse"},
        {"schedule": {"policy": "cosine", "warmup": "exponential", "warmup_share": 0.1}},
        {"schedule": {"policy": "step", "milestones": [0.3, 0.6, 0.9], "gamma": 0.2}},
    ],
)
def test_what_is_written_reads_back(question: dict[str, Any], tmp_path: Path) -> None:
    recipe = recipe_of(**question)
    assert read_recipe(written(tmp_path, recipe_text(recipe))) == recipe


def test_a_recipe_of_version_1_reads_and_is_written_as_version_2(tmp_path: Path) -> None:
    recipe = read_recipe(GOLDEN)
    assert (recipe.question.name, recipe.question.schedule.name) == ("digits_before", "one_cycle")
    assert recipe.cycle.max_lr == 0.6488104921849147
    assert recipe.cycle.hyperparameters == Hyperparameters(
        cycle_epochs=9.81, lr_multiplier=1.0, momentum_width=0.1, batch_size=64
    )
    assert (recipe.seed, recipe.precision, recipe.question.split.test) == (3026431988, "fp32", 0.35)
    assert recipe.provenance is not None
    assert recipe.provenance.environment["data"]["train_items"] == 898
    assert recipe_text(recipe).count("recipe_version: 2") == 1
    assert read_recipe(written(tmp_path, recipe_text(recipe))) == recipe


def test_a_recipe_has_every_hyperparameter_and_the_peak() -> None:
    names = {field.name for field in fields(Hyperparameters)} - {"lr_multiplier"} | {"max_lr"}
    assert set(content_of(recipe_of())["params"]) == names


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"")
    recipe = content_of(recipe_of()) | {"data": {"format": "npz", "path": "data.npz"}}
    data = read_recipe(written(tmp_path, recipe)).question.data
    assert data is not None
    assert data.path == str(tmp_path / "data.npz")


def test_a_wrong_number_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    content = content_of(recipe_of())
    content["params"]["augment"] = 2
    assert messages(written(tmp_path, content)) == ["params.augment: is unknown: 2. Known: 0, 1."]


def test_a_derived_momentum_is_taken_where_it_agrees_and_refused_where_not(tmp_path: Path) -> None:
    content = content_of(recipe_of())
    content["params"]["max_momentum"] = 0.85 + 0.1
    assert read_recipe(written(tmp_path, content)) == recipe_of()
    content["params"]["max_momentum"] = 0.9
    (message,) = messages(written(tmp_path, content))
    assert message.startswith("params.max_momentum: is 0.9, but base_momentum 0.85 and momentum_width 0.1 make it 0.95")
    assert "edit those two" in message


def test_everything_that_is_wrong_is_told_at_once_with_its_key(tmp_path: Path) -> None:
    content = content_of(recipe_of(model="resnet9"))
    content["model"]["name"] = "resnet8"
    content["loss"] = "mse"
    content["precision"] = "fp8"
    content["seed"] = -1
    content["params"] |= {"pct_start": 3, "lr_multiplier": 2.0, "batchsize": 3, "max_momentum": 0.5}
    del content["params"]["max_lr"]
    content |= {"epochs": 4, "question": {}}
    content["data"] = {"format": "npz", "path": "gone.npz"}
    found = messages(written(tmp_path, content))
    assert {message.partition(": ")[0] for message in found} == {
        "model.name", "loss", "precision", "seed", "params.pct_start", "params.lr_multiplier", "params.batchsize",
        "params.max_momentum", "params.max_lr", "epochs", "question", "data.path",
    }  # fmt: skip
    told = "\n".join(found)
    assert "Did you mean 'resnet9'?" in told
    assert "edit max_lr" in told
    assert "Did you mean 'batch_size'?" in told
    assert "--epochs N" in told


@pytest.mark.parametrize("number", [float("nan"), float("inf"), True, "many", None])
def test_a_peak_is_a_number(number: object, tmp_path: Path) -> None:
    content = content_of(recipe_of())
    content["params"]["max_lr"] = number
    (message,) = messages(written(tmp_path, content))
    assert message.startswith("params.max_lr: must be ")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        ("- 1\n", "holds a list"),
        ("a: [", "is not valid YAML"),
        ("a: 1\na: 2\n", "twice"),
        ("data: digits\n", "recipe_version: is missing"),
        ("recipe_version: 3\n", "recipe_version: is 3"),
        ("recipe_version: 1\n", "params: is missing"),
    ],
)
def test_what_is_no_recipe_is_refused(content: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=complaint) as refused:
        read_recipe(written(tmp_path, content))
    assert all(str(tmp_path / "recipe.yaml") in message for message in refused.value.messages)


def test_a_file_that_is_not_there_is_told_with_what_is(tmp_path: Path) -> None:
    written(tmp_path, "")
    with pytest.raises(UserError, match=r"There is: recipe\.yaml"):
        read_recipe(tmp_path / "recipes.yaml")
