"""``--dry-run``: the plan of a search, with nothing written."""

from __future__ import annotations

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.study.plan import expected_workers, planned
from tests.study.conftest import Workplace


def test_the_plan_names_the_data_and_the_lengths_and_writes_nothing(workplace: Workplace) -> None:
    said = planned(workplace.spec(resources={"workers": 2}))
    assert "epochs" in said
    assert not (workplace.folder / "runs").exists()


def test_workers_are_those_that_the_spec_names(workplace: Workplace) -> None:
    assert expected_workers(workplace.spec(resources={"workers": 5})) == 5
    assert expected_workers(workplace.spec(resources={"cpus_per_trial": 10_000})) == 1


def test_a_task_that_does_not_work_is_refused(workplace: Workplace) -> None:
    workplace.task.write_text("task = None\n", encoding="utf-8")
    with pytest.raises(UserError):
        planned(workplace.spec())
