"""A budget that is too small says so before anything starts, and which one would do."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.spec.fields import to_seconds
from superconv_tune.study.begin import begin
from superconv_tune.study.budget import Budget
from superconv_tune.study.plan import planned
from superconv_tune.study.question import Question, ready
from tests.study.conftest import Workplace, debugging


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Question:
    from tests.study.conftest import workplace_in  # noqa: PLC0415 - beside the fixture that uses it

    return ready(workplace_in(tmp_path_factory.mktemp("budget")).spec())


def slow(question: Question, budget_s: float, factor: float) -> Question:
    """The question on a machine that is slower."""
    measured = replace(
        question.measured,
        step_s={size: factor * seconds for size, seconds in question.measured.step_s.items()},
        eval_s=factor * question.measured.eval_s,
    )
    return replace(question, spec=question.spec.model_copy(update={"budget": budget_s}), measured=measured)


def test_enough_time_is_said_in_a_line(question: Question) -> None:
    check = Budget(question, workers=2, start_s=8.0).check
    assert check.state == "ok"
    assert check.found == "1 min: about 12 s for start-up and report, 48 s for training"


@pytest.mark.parametrize("factor", [300.0, 3e4])
def test_too_little_names_the_parts_and_a_budget_that_would_do(question: Question, factor: float) -> None:
    """How much time is enough is what people ask (microsoft/FLAML#155, #748, automl/auto-sklearn#707)."""
    budget = Budget(slow(question, 20.0, factor), workers=2, start_s=8.0)
    assert budget.check.state == "warning"
    assert "about 12 s for start-up and report, 8 s for training" in budget.check.found
    assert f"`--budget {budget.enough_s:.0f}s`" in budget.check.mend
    assert Budget(slow(question, budget.enough_s, factor), workers=2, start_s=8.0).check.state == "ok"
    assert Budget(slow(question, 0.8 * budget.enough_s, factor), workers=2, start_s=8.0).check.state != "ok"
    assert to_seconds(f"{budget.enough_s:.0f}s") == budget.enough_s  # as it is printed


def test_more_workers_need_less(question: Question) -> None:
    few, many = (Budget(slow(question, 20.0, 3e3), workers, start_s=8.0).enough_s for workers in (1, 8))
    assert many < few


def test_no_time_at_all_ends_before_anything_is_made(workplace: Workplace) -> None:
    """Elsewhere it is noticed after preparations that took longer (autogluon/autogluon-assistant#158), or at the end,
    when no model was produced (mljar/mljar-supervised#575); auto-sklearn refuses to start, too (#537).
    """
    call = replace(debugging()[0], started_at=time.time() - 58.0)
    with pytest.raises(UserError, match=r"budget: 1 min: about 6\d s for .* none for training\. `--budget \d+s`"):
        begin(workplace.spec(), "late", call)
    assert not (workplace.folder / "runs").exists()


def test_the_preflight_has_a_line_for_it(workplace: Workplace) -> None:
    assert "for start-up and report" in workplace.begin("one", trials=1)[1]


def test_the_plan_says_it_too(workplace: Workplace) -> None:
    said = planned(workplace.spec(budget="12s")).splitlines()[-1]
    assert said.startswith("budget: 12 s: about 12 s for start-up and report, none for training. `--budget ")
    assert "budget:" not in planned(workplace.spec(budget="10m"))
