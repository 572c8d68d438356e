"""A new search, from preflight to summary."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from superconv_tune.core.check import Check
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked
from superconv_tune.journal.journal import Journal
from superconv_tune.record.events import Opened
from superconv_tune.record.study import Study
from superconv_tune.reporting.preflight_table import check_lines, show_checks
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.budget import Budget
from superconv_tune.study.call import Call, Ended
from superconv_tune.study.conduct import conduct
from superconv_tune.study.engine import Engine, started
from superconv_tune.study.environment import describe
from superconv_tune.study.logs import no_log, search_log
from superconv_tune.study.parent_run import begin_run, check
from superconv_tune.study.places import Places, places
from superconv_tune.study.plan import data_words, expected_workers
from superconv_tune.study.preflight_checks import checks_of, disk_checks, refuse
from superconv_tune.study.question import ready
from superconv_tune.study.stored import StoredStudy
from superconv_tune.tracking.handle import StudyHandle

logger = logging.getLogger(__name__)


def begin(spec: ExperimentSpec, name: str | None, call: Call) -> Ended:
    """Run a new search from its first check to its report.

    Raises:
        UserError: if the name is taken, or the data, the model or a setting does not work; nothing was started then.
    """
    name = name or f"{spec.name}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(call.started_at))}"
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
        check(where.tracking_uri)
        journal = stack.enter_context(Journal(where.storage))
        stack.enter_context(search_log(where.folder))
        logger.info("%s", words)
        _show([*checks_of(question, where, workers), budget], call)
        engine = started(question, call)
        opened = _opened(engine, where, begin_run(where, engine.question.spec), call)
        journal.append(name, opened)
        return conduct(StoredStudy.of(Study(opened), where), journal, engine, call)


def _refuse_taken(where: Places) -> None:
    if not where.has_journal:
        return
    with Journal(where.storage) as journal:
        if journal.exists(where.name):
            raise UserError(
                f"--name: a study {where.name!r} exists. Choose another name, or go on with "
                f"`{where.command('search')}`."
            )


def _show(checks: list[Check], call: Call) -> None:
    for line in check_lines(checks):
        logger.info("Preflight: %s", line)
    show_checks(call.console, checks)


def _opened(engine: Engine, where: Places, handle: StudyHandle | None, call: Call) -> Opened:
    question = engine.question
    mlflow = {} if handle is None else {
        "tracking_uri": masked(handle.tracking_uri),
        "experiment_id": handle.experiment_id,
        "run_id": handle.run_id,
    }  # fmt: skip
    return Opened(
        name=where.name,
        started_at=call.started_at,
        deadline=call.started_at + question.spec.budget_s,
        workers=engine.workers,
        spec=_without_passwords(question.spec),
        environment=describe(question.card),
        measured=question.measured,
        mlflow=mlflow,
    )


def _without_passwords(spec: ExperimentSpec) -> dict[str, Any]:
    """The spec for the journal and for everything made from it, with the passwords of its addresses masked."""
    values = spec.model_dump(mode="json")
    addresses = {key: masked(values[key]) for key in ("storage", "tracking_uri") if values[key] is not None}
    return values | addresses
