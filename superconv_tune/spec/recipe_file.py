"""recipe.yaml: the result of a search, which the long run trains. One type, written and read in this module."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from superconv_tune.core.codec import decode
from superconv_tune.core.errors import UserError, did_you_mean, raise_any
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.record.trial import Precision
from superconv_tune.spec.fields import Count, Number, Positive, Section, Seed
from superconv_tune.spec.files import make_absolute, missing, name_format, near
from superconv_tune.spec.load import message, read_yaml
from superconv_tune.spec.spec import ExperimentSpec

VERSION: Final = 2
READ_VERSIONS = (1, VERSION)

# The parts of a spec that describe what is trained, as opposed to how it is searched.
QUESTION = ("name", "data", "task", "model", "metric", "loss", "optimizer", "schedule", "split")

HEADER = """\
# The recipe that the study below found.
# The long run:  python -m superconv_tune.train recipe.yaml --epochs N
# `params.max_lr` is the peak for a cycle of `params.cycle_epochs`; the long run moves it to its own length.
# Momentum runs between `base_momentum` and `base_momentum + momentum_width`.
# `estimate` and `provenance` say where the recipe comes from; the long run does not depend on them.
"""
HEADER_OF_FIT = """\
# The recipe that the study below found: a model that is fitted in one go, and not trained in cycles.
# Fit it again:  python -m superconv_tune.train recipe.yaml --epochs 1
# `fit` has the options that differ from the defaults of the family; `model.args` may have more.
# `estimate` and `provenance` say where the recipe comes from.
"""
HINT = "Name the recipe.yaml of a study."

# Keys that people look for in a recipe, and what they want instead.
ELSEWHERE = {
    "lr_multiplier": "max_lr includes it; edit max_lr.",
    "lr": "The peak is called params.max_lr.",
    "learning_rate": "The peak is called params.max_lr.",
    "min_lr": "It follows from the peak; edit params.div_factor.",
    "momentum": "Edit params.base_momentum and params.momentum_width.",
    "epochs": "The long run takes its length as an option: --epochs N.",
    "budget": "A recipe is trained and not searched; the long run takes its length as an option: --epochs N.",
    "target": "A recipe is trained and not searched.",
    "baselines": "A recipe is trained and not compared.",
}

Momentum = Annotated[Number, Field(ge=0.0, le=0.99)]
Fraction = Annotated[Number, Field(ge=0.0, le=1.0)]
Divisor = Annotated[Number, Field(ge=1.0)]


class RecipeParams(Section):
    """All hyperparameters, as in `Hyperparameters`, and the peak learning rate.

    Attributes:
        cycle_epochs: length of the cycle that they were found with.
        base_momentum: lowest momentum.
        momentum_width: highest minus lowest momentum.
        weight_decay: weight decay.
        pct_start: share of the cycle in which the learning rate rises.
        div_factor: peak over first learning rate.
        final_div_factor: first over last learning rate.
        batch_size: examples per optimizer step.
        label_smoothing: label smoothing of the loss.
        augment: 1 for training images changed as ``data.augment`` says, 0 for images as they are.
        max_lr: peak learning rate of a cycle of ``cycle_epochs``.
        max_momentum: base_momentum + momentum_width; may be given, is checked against them and not kept.
    """

    cycle_epochs: Positive
    base_momentum: Momentum
    momentum_width: Momentum
    weight_decay: Fraction
    pct_start: Fraction
    div_factor: Divisor
    final_div_factor: Divisor
    batch_size: Count
    label_smoothing: Annotated[Number, Field(ge=0.0, le=0.9)]
    augment: Literal[0, 1] = 1
    max_lr: Positive
    max_momentum: Annotated[Number | None, Field(exclude=True)] = None

    @field_validator("max_momentum")
    @classmethod
    def _follows(cls, value: float | None, info: ValidationInfo) -> None:
        if value is None or not {"base_momentum", "momentum_width"} <= set(info.data):
            return
        base, width = info.data["base_momentum"], info.data["momentum_width"]
        derived = Hyperparameters(base_momentum=base, momentum_width=width).max_momentum
        if not math.isclose(value, derived, rel_tol=1e-9):
            raise ValueError(
                f"is {value:g}, but base_momentum {base:g} and momentum_width {width:g} make it {derived:g}. Leave it "
                f"out, and edit those two"
            )

    @property
    def hyperparameters(self) -> Hyperparameters:
        """The hyperparameters without the peak."""
        params: Hyperparameters = decode(Hyperparameters, self.model_dump(exclude={"max_lr"}))
        return params


class RecipeEstimate(Section):
    """The metric that a fresh model is expected to reach.

    Attributes:
        value: expected value; None if it is not known.
        low: lower end of its interval; None if it is not known.
        high: upper end of its interval; None if it is not known.
        level: confidence level of the two-sided interval.
    """

    value: Number | None
    low: Number | None
    high: Number | None
    level: Number


class Provenance(Section):
    """Where the recipe comes from.

    Attributes:
        study: name of the study.
        trial: id of the trial in it.
        verdict: verdict of the study; None if it had no target.
        validation: metric of that trial on the validation part.
        mlflow_run_id: id of that trial's run in MLflow.
        environment: versions, hardware and data.
    """

    study: str
    trial: str
    verdict: str | None
    validation: Number | None
    mlflow_run_id: str | None
    environment: dict[str, Any]


class RecipeFile(Section):
    """A recipe. In the file the keys of the question are at the top level, as in a spec.

    Attributes:
        question: data, task, model, metric, loss, optimizer, schedule and split; everything else keeps its default.
        precision: number format of the forward pass.
        seed: every random choice derives from it.
        fit: the options of a family that is fitted and not trained in cycles, those that differ from its defaults; None
            for a network.
        params: the hyperparameters of a network; None for a family that is fitted.
        estimate: the metric to expect; None if nothing was confirmed.
        provenance: where it comes from; None for a recipe that was written by hand.
        recipe_version: version of the file's layout.
    """

    question: ExperimentSpec
    precision: Precision
    seed: Seed
    fit: dict[str, Any] | None = None
    params: Annotated[RecipeParams | None, Field(validate_default=True)] = None
    estimate: RecipeEstimate | None = None
    provenance: Provenance | None = None
    recipe_version: Literal[2] = VERSION

    @field_validator("params")
    @classmethod
    def _one_of_both(cls, params: RecipeParams | None, info: ValidationInfo) -> RecipeParams | None:
        question, fit = info.data.get("question"), info.data.get("fit")
        if params is None and fit is None:
            raise PydanticCustomError("missing", "Field required")
        if question is None:
            return params
        is_fitted = question.model is not None and question.model.is_fitted
        if (params is None) != is_fitted or (fit is not None) != is_fitted:
            name = question.model.label if question.model else "the model of the task"
            wanted, other = ("fit", "params") if is_fitted else ("params", "fit")
            raise ValueError(f"{name} takes {wanted} and no {other}. Take all of them from one recipe.yaml")
        return params

    @property
    def cycle(self) -> RecipeParams:
        """The hyperparameters, which a network has.

        Raises:
            ValueError: if the recipe is a fit.
        """
        if self.params is None:
            raise ValueError("The recipe is fitted and not trained in cycles.")
        return self.params


def recipe_text(recipe: RecipeFile) -> str:
    """The content of recipe.yaml; `read_recipe` is the inverse."""
    content: dict[str, Any] = {"recipe_version": recipe.recipe_version}
    content |= recipe.question.model_dump(mode="json", include=set(QUESTION))
    absent = {"fit"} if recipe.fit is None else {"params"}
    content |= recipe.model_dump(mode="json", exclude={"question", "recipe_version", *absent})
    return (HEADER if recipe.fit is None else HEADER_OF_FIT) + yaml.safe_dump(
        content, sort_keys=False, allow_unicode=True
    )


def read_recipe(path: Path) -> RecipeFile:
    """The recipe in a file, of this version or of version 1. Paths inside are relative to its folder.

    Raises:
        UserError: with a message for everything that is wrong.
    """
    content = read_yaml(path, "recipe", HINT)
    version = content.pop("recipe_version", None)
    if version not in READ_VERSIONS:
        fault = "is missing" if version is None else f"is {version!r}, which this version cannot read"
        raise UserError(f"{path}: recipe_version: {fault}. {HINT}")
    if version == 1:
        _upgrade(content)
    make_absolute(content, path.parent.absolute())
    name_format(content)
    faults = [
        f"{path}: {key}: there is no file or folder {file}. {near(file)}" for key, file in missing(content).items()
    ]
    known = [*QUESTION, *(key for key in RecipeFile.model_fields if key not in ("question", "recipe_version"))]
    faults += [f"{path}: {key}: unknown key. {_hint(key, known)}" for key in content if key not in known]
    nested = {key: value for key, value in content.items() if key in known and key not in QUESTION}
    nested["question"] = {key: value for key, value in content.items() if key in QUESTION}
    try:
        recipe = RecipeFile.model_validate(nested)
    except ValidationError as error:
        faults += [_message(path, detail) for detail in error.errors()]
        raise UserError(faults) from error
    raise_any(faults)
    return recipe


def _upgrade(content: dict[str, Any]) -> None:
    """Bring the content of a file of version 1 to the present layout.

    Version 1 has no ``name``, so the study's is used. Its ``baselines`` and ``lr_multiplier`` are dropped: they
    described the search and not what is trained.
    """
    content.pop("baselines", None)
    if isinstance(content.get("params"), dict):
        content["params"].pop("lr_multiplier", None)
    origin = content.get("provenance")
    study = origin.get("study") if isinstance(origin, dict) else None
    content.setdefault("name", re.sub(r"[^A-Za-z0-9_.-]+", "-", str(study or "")).strip("-.")[:100] or "recipe")


def _hint(key: str, known: Iterable[str]) -> str:
    return ELSEWHERE[key] if key in ELSEWHERE else did_you_mean(key, known)


def _message(path: Path, detail: ErrorDetails) -> str:
    """The message of an error, with its place as in the file."""
    first, *rest = detail["loc"]
    if first != "question":
        return message(path, detail, {}, RecipeFile, ELSEWHERE)
    in_file = detail.copy()
    in_file["loc"] = tuple(rest)
    return message(path, in_file, {})
