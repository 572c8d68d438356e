"""What to run next: a pure function of the study, the brief and the time."""

from __future__ import annotations

from superconv_tune.planner.arms import Arms
from superconv_tune.planner.ask import Decision
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.network import network_step
from superconv_tune.planner.situation import Situation
from superconv_tune.record.conductor import Signal
from superconv_tune.record.study import Study


def decide(study: Study, brief: Brief, now: float) -> Decision:
    """Decide on the next trial, plan, recipe, family to drop, or signal.

    No state is kept between calls: the same study at the same time gives the same decision, so that replaying the
    journal resumes a search.
    """
    if study.closed is not None:
        return Signal.DONE
    return Arms(study, brief, now).next() if study.arms else network_step(Situation(study, brief, now))
