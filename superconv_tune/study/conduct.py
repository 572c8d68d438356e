"""What `begin` and `resume` share: a search from its first trial to its summary."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from superconv_tune.journal.journal import Journal
from superconv_tune.record.study import Study
from superconv_tune.reporting.console import LiveView
from superconv_tune.study.call import Call, Ended
from superconv_tune.study.conclude import findings_of, proposer_of
from superconv_tune.study.conductor import StudyConductor, phase
from superconv_tune.study.engine import Engine
from superconv_tune.study.landmarks import LandmarksBeside
from superconv_tune.study.parent_run import end_run
from superconv_tune.study.publish import print_summary, write_files
from superconv_tune.study.stored import StoredStudy
from superconv_tune.verdict.verdict import Target

DEBUG = "debug: one trial after the other in this process, without Ray; the deadline does not wait for breakpoints"


def conduct(stored: StoredStudy, journal: Journal, engine: Engine, call: Call) -> Ended:
    """Run the rest of a study, then write its files. An interruption ends the trials; the files are written anyway.

    Raises:
        UserError: if an event cannot be stored, or the files cannot be written.
    """
    study, where, brief, handle = stored.study, stored.where, engine.question.brief, stored.handle()
    proposer = proposer_of(stored.name, brief, stored.spec.sampler, where.storage)
    if call.debug:
        call.console.print(DEBUG, markup=False)
    with LiveView(call.console, time.time, _title(study, brief.target), brief.target, verbose=call.debug) as view:
        conductor = StudyConductor(
            study,
            brief,
            journal,
            proposer,
            time.time,
            lambda: view.update(study, phase(study)),
            LandmarksBeside(engine),
        )
        proposer.reconcile(study)
        conductor.give_up_unfinished()
        with _interrupting(conductor):
            engine.run(conductor, handle, where.spill_dir)
        conductor.close()
        view.update(study, "report")
        findings = findings_of(study, brief, proposer, time.time(), stored.card.warnings)
        files = write_files(findings, where)
        sent = end_run(findings, stored, files)
    print_summary(call.console, findings, stored, sent=sent)
    return Ended(findings.verdict.word, conductor.interrupted)


@contextmanager
def _interrupting(conductor: StudyConductor) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the search and go on to the report; a second Ctrl-C ends the program."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        conductor.interrupt()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _title(study: Study, target: Target) -> str:
    goal = "how far can one get" if target.value is None else f"is {target.metric} {target.value:g} within reach"
    trials = "one trial at a time" if study.workers == 1 else f"{study.workers} trials at once"
    return f"{study.opened.name}: {goal}? {trials}"
