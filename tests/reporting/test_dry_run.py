"""The plan of a search in lines."""

from __future__ import annotations

from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.record.plan import Plan, RungPlan
from superconv_tune.reporting.dry_run import plan_words

SPACE: SearchSpace = {"weight_decay": Interval(1e-5, 1e-2, log=True), "batch_size": Choice((64.0, 128.0))}


def test_every_phase_has_a_line_with_its_seconds() -> None:
    plan = Plan((RungPlan(1.0, 8), RungPlan(3.0, 2)), 4, (1.5, 4.0))
    lines = plan_words(plan, SPACE, workers=2, budget_s=60.0).splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["rung", "rung", "confirmation"]
    assert lines[-1].split() == ["confirmation", "3", "4", "4.0s", "8s", "16"]
    assert any(line.split() == ["weight_decay", "1e-05", "…", "0.01", "(log)"] for line in lines)


def test_what_is_fitted_has_no_phases_but_a_budget() -> None:
    words = plan_words(Plan((), 0, ()), SPACE, workers=1, budget_s=60.0)
    assert words.startswith("Budget 1 min on 1 worker. The models are fitted and not trained in cycles")


def test_a_budget_that_is_too_small_is_said_at_the_end() -> None:
    plan = Plan((RungPlan(2.0, 4),), 3, (9.0,), is_too_small=True)
    assert plan_words(plan, SPACE, workers=1, budget_s=20.0).splitlines()[-1] == (
        "The budget has room for too few cycles of even 2 epochs (9.0 s each); "
        "one rung is searched and confirmed as far as it fits."
    )
