"""What `begin` and `resume` share: a search from its first trial to its summary."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from superconv_tune.core.background import within
from superconv_tune.core.errors import StorageError, TakenOverError
from superconv_tune.core.interruption import Interrupted, interruptible_twice
from superconv_tune.journal.journal import Journal
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.planner.learned import yardstick_of
from superconv_tune.record.study import Study
from superconv_tune.reporting.console import LiveView
from superconv_tune.reporting.findings import Findings
from superconv_tune.study.call import Call, Ended
from superconv_tune.study.conclude import findings_of, proposer_of
from superconv_tune.study.conductor import StudyConductor, phase
from superconv_tune.study.engine import Engine
from superconv_tune.study.kept_models import keep_models
from superconv_tune.study.landmarks import LandmarksBeside
from superconv_tune.study.ownership import watched
from superconv_tune.study.parent_run import end_run
from superconv_tune.study.publish import keep_unstored, print_summary, write_files
from superconv_tune.study.stored import StoredStudy
from superconv_tune.verdict.verdict import Target

DEBUG = "debug: one trial after the other in this process, without Ray; the deadline does not wait for breakpoints"
SENDING_S, LEAST_SENDING_S = 60.0, 3.0  # for everything that is sent to MLflow at the end


def conduct(stored: StoredStudy, journal: Journal, engine: Engine, call: Call) -> Ended:
    """Run the rest of a study, then write its files. An interruption ends the trials; the files are written anyway.

    If another driver takes the study over, nothing more is written: the files are that driver's.

    Raises:
        UserError: if an event cannot be stored while trials could still be run, or the files cannot be written.
        Interrupted: after a second interruption, with how to go on.
    """
    then = f"Everything that came back is in the journal. {stored.where.how_to_go_on}"
    call.last_words(f"error: the process ended without a word: it was killed, or Ray broke down. {then}")
    try:
        return _conducted(stored, journal, engine, call)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted twice, and ended at once. {then}") from None


def _conducted(stored: StoredStudy, journal: Journal, engine: Engine, call: Call) -> Ended:
    study, brief = stored.study, engine.question.brief
    journal.limit.ends_at = study.deadline - brief.report_s
    proposer = proposer_of(stored.name, brief, stored.spec.sampler, stored.where.storage, journal.options)
    if call.debug:
        call.console.print(DEBUG, markup=False)
    with _live_view(study, brief, call) as view:
        conductor = StudyConductor(
            study,
            brief,
            journal,
            proposer,
            time.time,
            lambda: view.update(study, phase(study)),
            LandmarksBeside(engine),
            journal.ledger(stored.card.test_part),
        )

        def end_early() -> None:
            conductor.interrupt()
            journal.limit.ends_at = min(journal.limit.ends_at, time.time())

        with interruptible_twice(end_early):
            try:
                with watched(journal, stored.name, end_early):
                    proposer.reconcile(study)
                    conductor.give_up_unfinished()
                    engine.run(conductor, stored.handle(), stored.where.spill_dir, stored.where.drafts)
                    conductor.close()
            except TakenOverError as error:
                call.console.print(str(error), markup=False)
                return Ended(None, interrupted=True)
            except StorageError:
                keep_unstored(conductor.unstored, stored, journal)
                raise
            view.update(study, "report")
            lost = keep_unstored(conductor.unstored, stored, journal)
            sampler = None if conductor.unstored else proposer
            kept = keep_models(study, stored.where, stored.spec.keep_models)
            findings = findings_of(study, brief, sampler, time.time(), (*lost, *stored.card.warnings), kept)
            files = write_files(findings, stored.where)
            sent = _sent(findings, stored, files)
    print_summary(call.console, findings, stored, sent=sent)
    for words in lost:
        call.console.print(words, markup=False)
    interrupted = study.closed is not None and study.closed.reason == "interrupted"
    return Ended(findings.verdict.word, interrupted, findings, stored.where.folder)


def _sent(findings: Findings, stored: StoredStudy, files: list[Path]) -> bool:
    """Send to MLflow what is left to send, but not far beyond the deadline; False if not all of it was accepted."""
    left_s = stored.study.deadline - time.time()
    return within(
        min(SENDING_S, max(LEAST_SENDING_S, left_s)), partial(end_run, findings, stored, files), otherwise=False
    )


def _live_view(study: Study, brief: Brief, call: Call) -> LiveView:
    return LiveView(
        call.console,
        time.time,
        _title(study, brief.target),
        brief.target,
        judge=lambda now: verdict_of(now.lead, brief),
        items=yardstick_of(study, brief).items,
        verbose=call.debug,
    )


def _title(study: Study, target: Target) -> str:
    goal = "how far can one get" if target.value is None else f"is {target.metric} {target.value:g} within reach"
    trials = "one trial at a time" if study.workers == 1 else f"{study.workers} trials at once"
    return f"{study.opened.name}: {goal}? {trials}"
