"""``--dry-run``: what a search would do with its time."""

from __future__ import annotations

import os

from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.divide import divide
from superconv_tune.problems.payload import DataCard
from superconv_tune.record.events import Opened
from superconv_tune.record.study import Study
from superconv_tune.reporting.dry_run import plan_words
from superconv_tune.reporting.sentences import one_line
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.logs import no_log
from superconv_tune.study.question import ready

START_S = 15.0  # imports, preflight and Ray's start, for a plan that is made without them


def planned(spec: ExperimentSpec) -> str:
    """What a search with this spec would do with its time, in lines; nothing is trained but the preflight's steps.

    Raises:
        UserError: if anything of the user's does not work.
    """
    with no_log():
        question = ready(spec)
    workers = expected_workers(spec)
    opened = Opened(spec.name, 0.0, spec.budget_s, workers, spec={}, measured=question.measured)
    left_s = max(0.0, spec.budget_s - START_S - question.brief.report_s)
    plan = divide(question.brief, CostModel.of(Study(opened)), workers, left_s)
    return "\n".join([data_words(question.card), plan_words(plan, question.brief.space, workers, spec.budget_s)])


def expected_workers(spec: ExperimentSpec) -> int:
    """Trials at once on this machine, as far as can be said before the cluster has started."""
    if isinstance(spec.resources.workers, int):
        return spec.resources.workers
    return max(1, int((os.cpu_count() or 1) / spec.resources.cpus_per_trial))


def data_words(card: DataCard) -> str:
    """What was read and what is doubtful about it, a line each, safe to print as they are."""
    lines = [f"data: {note}" for note in card.notes] + [f"warning: {warning}" for warning in card.warnings]
    return "\n".join(map(one_line, lines))
