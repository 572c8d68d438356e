"""Lengths that are shortened if there is less time than planned."""

from __future__ import annotations

from superconv_tune.record.events import Planned
from tests.planner.hours import hour
from tests.simulated import World, brief


def test_a_machine_slower_than_measured_shortens_every_rung_and_skips_none() -> None:
    conductor, _ = hour(World(step_s=0.03, slow=lambda _: 2.5), budget_s=900.0, how=brief(None))
    plans = [event.plan for event in conductor.events if isinstance(event, Planned)]
    assert len(plans[0].rungs) >= 3
    for index in range(len(plans[0].rungs)):
        assert len(conductor.study.asked("search", index)) >= 2
    lengths = [rung.epochs for rung in plans[-1].rungs]
    assert lengths == sorted(lengths)
    assert lengths[-1] < plans[0].rungs[-1].epochs


def test_a_winning_batch_size_with_expensive_epochs_shortens_the_plan() -> None:
    """With 64 examples an epoch takes twice as long as with 128, for which the plan was made."""
    conductor, _ = hour(World(step_s=0.01, best_size=64, alike=True), budget_s=200.0, how=brief(None))
    study = conductor.study
    plans = [event.plan for event in conductor.events if isinstance(event, Planned)]
    assert plans[-1].rungs[-1].epochs < 0.8 * plans[0].rungs[-1].epochs
    for index in range(len(plans[0].rungs)):
        assert len(study.asked("search", index)) >= 2
    fresh = study.trials("confirm")
    assert len(fresh) >= 3
    assert all(trial.request.params.batch_size == 64 and not trial.outcome.shortened for trial in fresh)
