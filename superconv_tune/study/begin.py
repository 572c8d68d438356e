"""A new search, from preflight to summary."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from superconv_tune.core.check import Check
from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.unstored import FILE as UNSTORED
from superconv_tune.record.events import Opened
from superconv_tune.record.study import Study
from superconv_tune.reporting.preflight_table import check_lines, show_checks
from superconv_tune.spec.name import refuse_name, timed_name
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.budget import Budget
from superconv_tune.study.call import Call, Ended
from superconv_tune.study.conduct import conduct
from superconv_tune.study.engine import Engine, started
from superconv_tune.study.environment import describe
from superconv_tune.study.logs import no_log, search_log
from superconv_tune.study.parent_run import begin_run, check, give_up_run
from superconv_tune.study.places import Places, places
from superconv_tune.study.plan import data_words, expected_workers
from superconv_tune.study.preflight_checks import checks_of, disk_checks, looks_check, machine_checks, refuse
from superconv_tune.study.question import ready
from superconv_tune.study.stored import ROOT, StoredStudy
from superconv_tune.tracking.handle import StudyHandle

logger = logging.getLogger(__name__)


def begin(spec: ExperimentSpec, name: str | None, call: Call) -> Ended:
    """Run a new search from its first check to its report.

    Raises:
        UserError: if the name is taken, or the data, the model or a setting does not work; nothing was started then.
    """
    name = name or timed_name(spec.name, call.started_at)
    refuse_name(name)
    where = places(Path(spec.output), name, spec.storage, spec.tracking_uri)
    _refuse_taken(where)
    with no_log():
        # Before anything is created, so that a user error leaves no trace.
        question = ready(spec)
        workers = 1 if call.debug else expected_workers(spec)
        budget = Budget(question, workers, time.time() - call.started_at).check
        refuse([*disk_checks(where), budget])
    words = data_words(question.card)
    if words:  # data that a task made have no notes
        call.console.print(words, markup=False)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(where.storage))
        stack.enter_context(_removed_if_refused(where, journal))
        stack.enter_context(search_log(where.folder))
        logger.info("%s", words)
        ledger = journal.ledger(question.card.test_part)
        others = ledger.others(name)
        looks = looks_check(others, call.fresh_ledger, question.card)
        engine = started(question, call)
        # Takes seconds, and a worker is being tried meanwhile.
        check(where.tracking_uri, where.storage, where.artifact_root)
        _show([*checks_of(question, where, workers), budget, looks], call)
        machines = machine_checks(engine.clocks, where)
        _show(machines, call)
        refuse(machines)
        engine.rehearsed()
        handle = begin_run(where, engine.question)
        try:
            opened = _opened(engine, where, handle, call, others if call.fresh_ledger is None else ())
            journal.append(name, opened)
        except (UserError, KeyboardInterrupt):  # such as another search that took the name in the meantime
            give_up_run(handle)
            raise
        if call.fresh_ledger is not None:
            ledger.begin_anew(name, call.fresh_ledger)
        return conduct(StoredStudy.of(Study(opened), where), journal, engine, call)


def _refuse_taken(where: Places) -> None:
    if where.has_journal:
        _refuse_recorded(where)
    if any((where.folder / name).exists() for name in ("verdict.json", UNSTORED)):
        raise UserError(
            f"--name: {where.folder}/ holds a study of another journal than {where.storage}. Choose another name or "
            f"--output, or name its journal with --storage."
        )


def _refuse_recorded(where: Places) -> None:
    with Journal(where.storage) as journal:
        if journal.exists(where.name):
            raise UserError(
                f"--name: a study {where.name!r} exists. Choose another name, or go on with "
                f"`{where.command('search')}`."
            )


@contextmanager
def _removed_if_refused(where: Places, journal: Journal) -> Iterator[None]:
    """Remove the study's folder if it is refused before it has begun: a user error leaves no trace."""
    is_new = not where.folder.exists()
    try:
        yield
    except UserError:
        if is_new and not journal.exists(where.name):
            shutil.rmtree(where.folder, ignore_errors=True)
        raise


def _show(checks: list[Check], call: Call) -> None:
    for line in check_lines(checks):
        logger.info("Preflight: %s", line)
    if checks:
        show_checks(call.console, checks)


def _opened(engine: Engine, where: Places, handle: StudyHandle | None, call: Call, others: tuple[str, ...]) -> Opened:
    question = engine.question
    return Opened(
        name=where.name,
        started_at=call.started_at,
        deadline=call.started_at + question.spec.budget_s,
        workers=engine.workers,
        spec=question.spec.model_dump(mode="json"),  # in which addresses have no passwords
        environment=describe(question.payload, question.card) | {ROOT: str(where.root.resolve())},
        measured=question.measured,
        mlflow={} if handle is None else handle.recorded,
        fresh_ledger=call.fresh_ledger or "",
        families=question.competing,
        test_groups=question.test_groups,
        others=others,
    )
