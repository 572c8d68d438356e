"""A study as its journal has it, in typed values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import Address
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Opened
from superconv_tune.record.study import Study
from superconv_tune.study.places import places
from superconv_tune.study.stored import StoredStudy, existing, stored
from superconv_tune.tracking.handle import StudyHandle
from tests.study.conftest import Workplace


def test_spec_and_data_are_those_of_the_search(finished: Workplace) -> None:
    where = existing(Path(finished.output), "done", None)
    with Journal(where.storage) as journal:
        found = stored(journal, where)
    assert found.spec.target == 0.8
    assert found.brief.target.value == 0.8
    assert (found.card.classes, found.card.input_shape) == (3, (6,))
    assert found.handle() is None
    assert found.data_change(found.card) == ""
    assert "now 123" in found.data_change(replace(found.card, fingerprint="123"))


def test_a_password_that_the_journal_does_not_keep_comes_from_the_environment(
    finished: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = finished.events("done")[0]
    assert isinstance(opened, Opened)
    recorded = {"tracking_uri": "postgresql://u:***@h/mlflow", "experiment_id": "1", "run_id": "r"}
    study = Study(replace(opened, mlflow=recorded))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://u:secret@h/mlflow")
    found = StoredStudy.of(study, places(Path(finished.output), "done", None, None))
    assert found.recorded_handle == StudyHandle.of(recorded)
    assert found.handle() == StudyHandle(Address("postgresql://u:secret@h/mlflow"), "1", "r")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(UserError, match="whose password is not kept"):
        StoredStudy.of(study, places(Path(finished.output), "done", None, None)).handle()
