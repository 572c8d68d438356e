import json
from collections.abc import Callable
from importlib import resources
from typing import Any, get_args

import jsonschema
import pytest

from superconv_tune.record.trial import Status
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.verdict_json import SCHEMA_VERSION, verdict_json
from tests.reporting.conftest import EVERY


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    text = resources.files("superconv_tune.reporting").joinpath("verdict.schema.json").read_text()
    content: dict[str, Any] = json.loads(text)
    return content


def test_the_schema_is_itself_valid(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_the_schema_names_every_status(schema: dict[str, Any]) -> None:
    assert set(schema["properties"]["trials"]["properties"]) == {*get_args(Status), "running"}


@pytest.mark.parametrize("name", EVERY)
def test_every_verdict_fits_the_schema(
    name: str, schema: dict[str, Any], every_findings: Callable[[str], Findings]
) -> None:
    content = verdict_json(every_findings(name))

    jsonschema.Draft202012Validator(schema).validate(content)
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_the_schema_refuses_what_it_does_not_know(schema: dict[str, Any], findings: Findings) -> None:
    wrong = verdict_json(findings) | {"verdict": "certain"}

    with pytest.raises(jsonschema.ValidationError, match="certain"):
        jsonschema.Draft202012Validator(schema).validate(wrong)
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.Draft202012Validator(schema).validate(verdict_json(findings) | {"surprise": 1})


def test_the_fields_say_what_the_study_found(findings: Findings) -> None:
    content = verdict_json(findings)

    assert content["question"]["target"] == 0.92
    assert content["question"]["budget_s"] == 600.0
    assert content["best"]["trial"] == "search-13"
    assert findings.winner is not None
    assert content["best"]["params"]["max_lr"] == findings.winner.max_lr
    assert [run["seed"] for run in content["confirmation"]] == [900, 901, 902, 903]
    assert [rung["epochs"] for rung in content["ladder"]] == [1.0, 3.0, 9.0]
    assert content["range_test"]["quality"] == "good"
    assert content["budget"]["worker_s"] == 2 * content["budget"]["used_s"]


def test_a_study_without_a_target_has_no_verdict_and_no_probability(regression_findings: Findings) -> None:
    content = verdict_json(regression_findings)

    assert content["verdict"] is None
    assert content["probability"] is None
    assert content["estimate"]["value"] == 0.723
