"""``--dry-run``: how a search would spend its time."""

from __future__ import annotations

from superconv_tune.core.errors import one_line
from superconv_tune.data.limits import usable_cpus
from superconv_tune.problems.payload import DataCard
from superconv_tune.reporting.dry_run import plan_words
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.budget import Budget
from superconv_tune.study.logs import no_log
from superconv_tune.study.question import Question, ready

START_S = 8.0  # assumed for imports, preflight and Ray's start, which a dry run does not measure


def planned(spec: ExperimentSpec) -> str:
    """How a search with this spec would spend its time, as lines; nothing is trained but the preflight's steps.

    Raises:
        UserError: if the data, the model or a setting does not work.
    """
    with no_log():
        question = ready(spec)
    workers = expected_workers(spec)
    budget = Budget(question, workers, START_S)
    plan = plan_words(budget.plan, question.brief.space, workers, spec.budget_s)
    check = budget.check
    shortage = f"budget: {check.found.rstrip('.')}. {check.mend}" if check.mend else ""
    return "\n".join(filter(None, (data_words(question.card), _families_words(question), plan, shortage)))


def _families_words(question: Question) -> str:
    """Which families compete; empty for a single network."""
    fitted = [family.name for family in question.families if family.is_fitted]
    networks = [family.name for family in question.families if not family.is_fitted]
    found = [f"fitted first, in seconds: {', '.join(fitted)}"] if fitted else []
    found += [f"networks that race: {', '.join(networks)}"] if len(networks) > 1 else networks[:1]
    plan = f" The plan is that of {networks[0]} if it had all the time." if networks else ""
    return f"families: {'; '.join(found)}.{plan}" if found else ""


def expected_workers(spec: ExperimentSpec) -> int:
    """The number of trials at once to expect on this machine, before the cluster has started."""
    if isinstance(spec.resources.workers, int):
        return spec.resources.workers
    return max(1, int(usable_cpus() / spec.resources.cpus_per_trial))


def data_words(card: DataCard) -> str:
    """What was read and what is doubtful about it, as lines that are safe to print."""
    lines = [f"data: {note}" for note in card.notes] + [f"warning: {warning}" for warning in card.warnings]
    return "\n".join(map(one_line, lines))
