"""What in the data makes an answer weaker is said with the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from superconv_tune.core.study import Study
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.reporting.verdict_json import verdict_json
from superconv_tune.study.conclude import findings_of, proposer_of
from tests.simulated import opened, policy

DOUBT = "2 of 9 examples of the test part are equal to ones of the training part."


def test_warnings_about_the_data_follow_those_of_the_verdict(tmp_path: Path) -> None:
    begun = opened(600.0, 2)
    spec = {**begun.spec, "sampler": "random"}
    how, storage = policy(0.85), f"sqlite:///{tmp_path / 'studies.db'}"
    for data, added in (({"warnings": [DOUBT]}, (DOUBT,)), ({}, ())):
        study = Study(replace(begun, spec=spec, environment={"data": data}))
        found = findings_of(study, how, proposer_of(study, how, storage), begun.started_at)
        assert found.verdict.warnings == (*verdict_of(study, how).warnings, *added)
        assert verdict_json(found)["warnings"] == list(found.verdict.warnings)
