"""The recipe of a study, as its file gives it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from superconv_tune.lr.schedule import schedule_from
from superconv_tune.record.study import Study
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.recipe_yaml import recipe, write_recipe
from superconv_tune.spec.recipe_file import read_recipe


def with_spec(findings: Findings, changes: dict[str, Any]) -> Findings:
    """The same findings of a study that was asked with other words."""
    opened = findings.study.opened
    return replace(findings, study=Study(replace(opened, spec={**opened.spec, **changes})))


def test_the_file_gives_back_what_was_found(findings: Findings, tmp_path: Path) -> None:
    findings = with_spec(findings, {"data": "digits"})
    assert write_recipe(findings, tmp_path / "recipe.yaml")
    found = read_recipe(tmp_path / "recipe.yaml")

    winner = findings.winner
    assert winner is not None
    assert found == recipe(findings, winner)
    assert found.cycle.hyperparameters == replace(winner.request.params, lr_multiplier=1.0)
    assert found.cycle.max_lr == winner.outcome.max_lr
    assert (found.seed, found.precision) == (winner.request.seed, winner.request.precision)
    question = found.question
    assert (question.name, question.metric.name) == ("fashion-mnist", "accuracy")
    assert question.model is not None
    assert (question.model.name, question.model.width) == ("resnet9", 32)
    assert (question.split.validation, question.split.test) == (0.1, 0.1)
    assert found.provenance is not None
    assert (found.provenance.study, found.provenance.trial) == ("fashion-mnist-92", "search-13")
    assert found.estimate is not None
    assert found.estimate.low == 0.9218


def test_the_schedule_is_that_of_the_winner_with_its_options(findings: Findings) -> None:
    assert findings.winner is not None
    request = replace(findings.winner.request, schedule=schedule_from("step,gamma=0.3"))
    found = recipe(findings, replace(findings.winner, request=request))
    assert found.question.schedule == schedule_from("step,gamma=0.3")
    assert found.question.model_dump(mode="json")["schedule"] == {"policy": "step", "gamma": 0.3}


def test_what_is_about_the_search_is_not_in_it(findings: Findings, tmp_path: Path) -> None:
    searched = {"budget": "1h", "target": 0.9, "baselines": ["cosine"], "space": {"weight_decay": 1e-3}}
    write_recipe(with_spec(findings, searched), tmp_path / "recipe.yaml")
    content = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
    assert not set(searched) & set(content)
    assert not {"lr_multiplier", "max_momentum"} & set(content["params"])


def test_without_a_winner_nothing_is_written(empty_findings: Findings, tmp_path: Path) -> None:
    assert not write_recipe(empty_findings, tmp_path / "recipe.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["findings", "compared_findings", "regression_findings", "hostile_findings"])
def test_words_come_back_as_they_were(name: str, every_findings: Callable[[str], Findings], tmp_path: Path) -> None:
    findings = every_findings(name)
    write_recipe(findings, tmp_path / "recipe.yaml")
    text = (tmp_path / "recipe.yaml").read_text(encoding="utf-8")
    assert "hunter2" not in text
    content = yaml.safe_load(text)
    assert content["provenance"]["study"] == findings.study.opened.name
    data: Any = findings.study.opened.spec["data"]
    assert content["data"]["path"] == data["path"]
