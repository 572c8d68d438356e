"""Continue a study from its journal."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.unstored import bring_in
from superconv_tune.problems.payload import DataCard
from superconv_tune.record.events import Resumed
from superconv_tune.spec.fields import to_seconds
from superconv_tune.study.call import Call, Ended
from superconv_tune.study.conduct import conduct
from superconv_tune.study.engine import started
from superconv_tune.study.environment import changes, describe
from superconv_tune.study.logs import search_log
from superconv_tune.study.ownership import take_over
from superconv_tune.study.parent_run import check, resume_run
from superconv_tune.study.preflight_checks import machine_checks, refuse
from superconv_tune.study.question import ready
from superconv_tune.study.refusal import refuse_changes
from superconv_tune.study.stored import StoredStudy, existing, stored
from superconv_tune.tracking.handle import StudyHandle


def resume(
    name: str, output: str, storage: str | None, budget: str | None, call: Call, *, accept_changes: bool = False
) -> Ended:
    """Continue a study from its journal, inside its deadline; a ``budget`` such as ``+20m`` extends the deadline.

    Where the deadline has passed before the command, that time counts from the command.

    With ``accept_changes`` it goes on even where code, versions or device have changed, and the journal says so. Once
    everything is checked, a driver that still has the study is told to stop.

    Raises:
        UserError: if there is no such study, it has ended, its deadline has passed, its data have changed, or something
            else has changed and was not accepted; an earlier driver then goes on.
    """
    more_s = _added(budget)
    where = existing(Path(output), name, storage)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(where.storage))
        bring_in(journal, name, where.folder)
        found = stored(journal, where)
        _refuse_closed(found, more_s)
        _refuse_late(found.name, _deadline(found, more_s, call))
        handle = found.handle()
        if handle is not None:
            _refuse_lost_store(found.name, handle)
            check(handle.tracking_uri, where.storage, where.artifact_root)
        question = ready(found.spec)
        _refuse_other_data(found, question.card)
        now = describe(question.payload, question.card)
        changed = changes(found.study.environment, now)
        refuse_changes(found.name, changed, accepted=accept_changes)
        stack.enter_context(search_log(where.folder))
        engine = started(question, call)
        refuse(machine_checks(engine.clocks, replace(where, tracking_uri=handle.tracking_uri) if handle else where))
        engine.rehearsed()
        take_over(journal, name, call.console)
        found = stored(journal, where)  # again: until then an earlier driver may have gone on
        _refuse_closed(found, more_s)
        resume_run(handle, where)
        deadline, changed_to = _deadline(found, more_s, call), now if changed else {}
        event = Resumed(time.time(), deadline, engine.workers, changed, changed_to, call.started_at)
        journal.append(name, event)
        found.study.apply(event)
        return conduct(found, journal, engine, call)


def _added(budget: str | None) -> float:
    if budget is None:
        return 0.0
    if not budget.startswith("+"):
        raise UserError(f"--budget: with --resume it adds time to the deadline, but got {budget!r}. Write +{budget}.")
    try:
        return to_seconds(budget[1:])
    except ValueError as error:
        raise UserError(f"--budget: {error}.") from error


def _refuse_closed(found: StoredStudy, more_s: float) -> None:
    study, name = found.study, found.name
    if study.closed is not None and study.closed.reason != "interrupted" and not more_s:
        raise UserError(
            f"--resume: {name!r} has ended ({study.closed.reason}). Write its report again with "
            f"`{found.where.command('report')}`, or give it more time: "
            f"`{found.where.command('search', '--budget', '+20m')}`."
        )


def _deadline(found: StoredStudy, more_s: float, call: Call) -> float:
    """When the study is to end, with the time that is added."""
    before = found.study.deadline
    return max(before, call.started_at) + more_s if more_s else before


def _refuse_late(name: str, deadline: float) -> None:
    late_s = time.time() - deadline
    if late_s >= 0.0:
        raise UserError(f"--resume: the deadline of {name!r} passed {late_s:.0f} s ago. Add time: --budget +20m.")


def _refuse_lost_store(name: str, handle: StudyHandle) -> None:
    file = handle.tracking_uri.file
    if file is not None and not file.exists():
        raise UserError(
            f"--resume: the MLflow runs of {name!r} are in {file}, which does not exist. Put it back; if the folder of "
            f"all studies was moved, move mlflow.db and mlartifacts with it."
        )


def _refuse_other_data(found: StoredStudy, card: DataCard) -> None:
    change = found.data_change(card)
    if change:
        raise UserError(
            f"--resume: the data of {found.name!r} have changed since it began ({change}). Start a new search on the "
            f"new data."
        )
