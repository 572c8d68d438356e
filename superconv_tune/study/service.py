"""One search from the command to its findings: everything that the command line does not do itself."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from superconv_tune.cluster.driver import Resources, cluster, run, slots
from superconv_tune.cluster.slots import Share
from superconv_tune.cluster.worker import Setting
from superconv_tune.core.check import Check
from superconv_tune.core.codec import decode
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked
from superconv_tune.journal.journal import Journal
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.divide import divide
from superconv_tune.problems.payload import DataCard, portable
from superconv_tune.record.events import Opened, Resumed
from superconv_tune.record.study import Study
from superconv_tune.reporting.console import LiveView
from superconv_tune.reporting.dry_run import plan_words
from superconv_tune.reporting.files import write_atomically
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.outputs import write_outputs
from superconv_tune.reporting.preflight_table import check_lines, show_checks
from superconv_tune.reporting.sentences import one_line
from superconv_tune.reporting.side_by_side import render_side_by_side, side_by_side_table
from superconv_tune.reporting.summary import summary
from superconv_tune.spec.fields import to_seconds
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.conclude import findings_of, proposer_of
from superconv_tune.study.conductor import StudyConductor, phase
from superconv_tune.study.environment import describe
from superconv_tune.study.gpu_share import shared
from superconv_tune.study.logs import no_log, search_log
from superconv_tune.study.places import Places, places
from superconv_tune.study.preflight_checks import checks_of, disk_checks, refuse
from superconv_tune.study.question import Question, brief_of, ready, threads
from superconv_tune.tracking.client import TrackingError
from superconv_tune.tracking.study_run import StudyHandle, check, close_study, is_open, open_study, reopen_study
from superconv_tune.tracking.worker import recover, unsent
from superconv_tune.verdict.verdict import Target

logger = logging.getLogger(__name__)

SURVEY_SHARE = 0.02  # of the budget, for floors and ceilings
SURVEY_S = 20.0  # at most: more time would buy no better ones
SIDE_BY_SIDE = "side-by-side.html"  # in the folder of all studies
START_S = 15.0  # imports, preflight and Ray's start, for a plan that is made without them


@dataclass(frozen=True)
class Call:
    """How the command was called.

    Attributes:
        started_at: Unix time of the command.
        address: of a Ray cluster; None starts a local one and ends it again.
        console: where progress and summary go.
    """

    started_at: float
    address: str | None = None
    console: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False))


@dataclass(frozen=True)
class Ended:
    """How a search ended: its verdict's word, if a target was asked, and whether the user cut it short."""

    verdict: str | None
    interrupted: bool


def begin(spec: ExperimentSpec, name: str | None, call: Call) -> Ended:
    """A new search, from preflight to summary.

    Raises:
        UserError: if the name is taken, or anything of the user's does not work; nothing was started then.
    """
    name = name or f"{spec.name}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(call.started_at))}"
    where = places(Path(spec.output), name, spec.storage, spec.tracking_uri)
    _refuse_taken(where)
    with no_log():
        # Before anything is created: what is the user's to mend leaves no trace.
        question = ready(spec, min(SURVEY_S, SURVEY_SHARE * spec.budget_s))
        refuse(disk_checks(where))
    call.console.print(data_words(question.card), markup=False)
    with ExitStack() as stack:
        check(where.tracking_uri)
        journal = stack.enter_context(Journal(where.storage))
        stack.enter_context(search_log(where.folder))
        logger.info("%s", data_words(question.card))
        _tell(checks_of(question, where, _expected_workers(spec)), call.console)
        stack.enter_context(cluster(call.address))
        question = shared(question, call.address)
        share = slots(_resources(question.spec))
        handle = open_study(
            where.tracking_uri, where.artifact_root, spec.name, name, _params(question.spec), {"phase": "search"}
        )
        opened = Opened(
            name=name,
            started_at=call.started_at,
            deadline=call.started_at + spec.budget_s,
            workers=share.count(held=0),
            spec=_kept(question.spec),
            environment=describe(question.card),
            measured=question.measured,
            mlflow={
                "tracking_uri": masked(handle.tracking_uri),
                "experiment_id": handle.experiment_id,
                "run_id": handle.run_id,
            },
        )
        journal.append(name, opened)
        return _conduct(Study(opened), question, where, journal, share, call)


def resume(name: str, output: str, storage: str | None, budget: str | None, call: Call) -> Ended:
    """Go on with a study from its journal, inside its deadline; ``budget`` such as ``+20m`` moves that.

    Raises:
        UserError: if there is no such study, it has ended, its time is over, or its data changed.
    """
    more_s = _added(budget)
    where = existing(Path(output), name, storage)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(where.storage))
        study = replayed(journal, name)
        _refuse_ended(study, more_s)
        handle = _handle(study, where)
        check(handle.tracking_uri)
        question = ready(ExperimentSpec.model_validate(study.opened.spec))
        _refuse_other_data(study, question.card)
        stack.enter_context(search_log(where.folder))
        stack.enter_context(cluster(call.address))
        question = shared(question, call.address)
        share = slots(_resources(question.spec))
        reopen_study(handle)
        event = Resumed(time.time(), study.deadline + more_s, share.count(held=0))
        journal.append(name, event)
        study.apply(event)
        return _conduct(study, question, where, journal, share, call)


def planned(spec: ExperimentSpec) -> str:
    """What a search with this spec would do with its time, in lines; nothing is trained but the preflight's steps.

    Raises:
        UserError: if anything of the user's does not work.
    """
    with no_log():
        question = ready(spec)
    workers = _expected_workers(spec)
    opened = Opened(spec.name, 0.0, spec.budget_s, workers, spec={}, measured=question.measured)
    left_s = max(0.0, spec.budget_s - START_S - question.brief.report_s)
    plan = divide(question.brief, CostModel.of(Study(opened)), workers, left_s)
    return "\n".join([data_words(question.card), plan_words(plan, question.brief.space, workers, spec.budget_s)])


def data_words(card: DataCard) -> str:
    """What was read and what is doubtful about it, a line each, safe to print as they are."""
    lines = [f"data: {note}" for note in card.notes] + [f"warning: {warning}" for warning in card.warnings]
    return "\n".join(map(one_line, lines))


def render(name: str, output: str, storage: str | None) -> None:
    """Write the files of a study again from its journal, and print the summary.

    What MLflow has not got of a study that has ended, because it was away then, is brought to it too.

    Raises:
        UserError: if there is no such study, or its files cannot be written.
    """
    findings, where = _told(name, output, storage)
    files = _written(findings, where)
    console = Console(soft_wrap=True, highlight=False)
    with no_log():
        sent = findings.study.closed is None or _caught_up(findings, where, files)
    _print_summary(console, findings, where, sent=sent)


def compare(names: Sequence[str], output: str, storage: str | None) -> None:
    """Write a page with several studies side by side, and print them as a table.

    Raises:
        UserError: if one of them does not exist, or the page cannot be written.
    """
    studies = [_told(name, output, storage)[0] for name in names]
    page, console = Path(output) / SIDE_BY_SIDE, Console(highlight=False)
    try:
        write_atomically(page, render_side_by_side(studies).encode())
    except OSError as error:
        raise UserError(f"--output: {page} cannot be written ({error.strerror or error}).") from error
    console.print(side_by_side_table(studies))
    console.print(f"page: {page}", markup=False, soft_wrap=True)


def _told(name: str, output: str, storage: str | None) -> tuple[Findings, Places]:
    """What the journal tells of a study, up to its last event."""
    where = existing(Path(output), name, storage)
    with Journal(where.storage) as journal:
        study = replayed(journal, name)
        last = journal.events(name)[-1].at
    brief = brief_of(ExperimentSpec.model_validate(study.opened.spec))
    return findings_of(study, brief, proposer_of(study, brief, where.storage), now=last), where


def _expected_workers(spec: ExperimentSpec) -> int:
    """Trials at once on this machine, as far as can be said before the cluster has started."""
    return _resources(spec).workers or max(1, int((os.cpu_count() or 1) / spec.resources.cpus_per_trial))


def _tell(checks: list[Check], console: Console) -> None:
    for line in check_lines(checks):
        logger.info("Preflight: %s", line)
    show_checks(console, checks)


def _refuse_taken(where: Places) -> None:
    if not where.has_journal:
        return
    with Journal(where.storage) as journal:
        if journal.exists(where.name):
            raise UserError(
                f"--name: a study {where.name!r} exists. Choose another name, or go on with --resume {where.name}."
            )


def existing(root: Path, name: str, storage: str | None) -> Places:
    """Where a study lies.

    Raises:
        UserError: if nothing was searched there yet.
    """
    where = places(root, name, storage, tracking_uri=None)
    if not where.has_journal:
        raise UserError(
            f"There is no study {name!r}: nothing was searched in {root}/ yet. --output names another folder."
        )
    return where


def replayed(journal: Journal, name: str) -> Study:
    """The state of a study.

    Raises:
        UserError: if the journal does not know it.
    """
    if not journal.exists(name):
        known = ", ".join(journal.names()[:5]) or "none"
        raise UserError(f"There is no study {name!r} here. Known, newest first: {known}. --output names their folder.")
    return Study.replay(journal.events(name))


def _conduct(study: Study, question: Question, where: Places, journal: Journal, share: Share, call: Call) -> Ended:
    """Run what is left of a study, then write its files; an interruption ends the first part, never the second."""
    brief, handle = question.brief, _handle(study, where)
    proposer = proposer_of(study, brief, where.storage)
    with LiveView(call.console, time.time, _asked(study, brief.target), brief.target) as view:
        conductor = StudyConductor(study, brief, journal, proposer, time.time, lambda: view.update(study, phase(study)))
        proposer.reconcile(study)
        conductor.take_over()
        with _signals(conductor):
            payload = question.payload if call.address is None else portable(question.payload)
            setting = Setting(payload, handle, str(where.spill_dir), threads(question.spec))
            run(conductor, setting, _resources(question.spec), share)
        conductor.close()
        view.update(study, "report")
        findings = findings_of(study, brief, proposer, time.time())
        files = _written(findings, where)
        sent = _sent(findings, where, files)
    _print_summary(call.console, findings, where, sent=sent)
    return Ended(findings.verdict.word, conductor.interrupted)


def _written(findings: Findings, where: Places) -> list[Path]:
    try:
        return write_outputs(findings, where.folder)
    except OSError as error:
        raise UserError(
            f"The files of {where.name!r} cannot be written into {where.folder}/ ({error.strerror or error}). All that "
            f"was learned is in the journal: mend the folder, then `python -m superconv_tune.report {where.name}`."
        ) from error


def _sent(findings: Findings, where: Places, files: list[Path]) -> bool:
    """Bring the files, and what the workers could not send, to MLflow; False where it would not take them all."""
    study, handle = findings.study, _handle(findings.study, where)
    left = recover(handle, where.spill_dir)
    if left:
        logger.warning("%d trials could not be sent to MLflow; they stay in %s.", left, where.spill_dir)
    interrupted = study.closed is not None and study.closed.reason == "interrupted"
    try:
        close_study(
            handle,
            status="KILLED" if interrupted else "FINISHED",
            tags={"verdict": str(findings.verdict.word), "target": str(findings.target.value), "phase": "done"},
            metrics=_numbers(findings),
            artifacts=files,
        )
    except TrackingError as error:
        logger.warning("The parent run was not ended: %s", error)
        return False
    return not left


def _caught_up(findings: Findings, where: Places, files: list[Path]) -> bool:
    """Send what MLflow missed of a study that has ended; False where it still would not take it."""
    try:
        handle = _handle(findings.study, where)
        is_behind = bool(unsent(handle, where.spill_dir)) or is_open(handle)
        return not is_behind or _sent(findings, where, files)
    except (TrackingError, UserError) as error:  # the latter where its password is not at hand
        logger.warning("MLflow was not asked: %s", error)
        return False


def _print_summary(console: Console, findings: Findings, where: Places, *, sent: bool) -> None:
    hint = _mlflow_hint(StudyHandle(**findings.study.opened.mlflow))
    console.print(summary(findings, where.folder, hint), markup=False)
    if not sent:
        again = f"python -m superconv_tune.report {where.name}"
        console.print(f"MLflow did not take everything; once it answers, `{again}` brings the rest.", markup=False)


def _numbers(findings: Findings) -> dict[str, float]:
    numbers = {"used_s": findings.used_s, "training_share": findings.training_share}
    if findings.verdict.probability is not None:
        numbers["probability"] = findings.verdict.probability
    if findings.verdict.estimate is not None:
        estimate = findings.verdict.estimate
        numbers |= {"estimate": estimate.value, "estimate_low": estimate.low, "estimate_high": estimate.high}
    return numbers


@contextmanager
def _signals(conductor: StudyConductor) -> Iterator[None]:
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


def _added(budget: str | None) -> float:
    if budget is None:
        return 0.0
    if not budget.startswith("+"):
        raise UserError(f"--budget: with --resume it adds time to the deadline, but got {budget!r}. Write +{budget}.")
    try:
        return to_seconds(budget[1:])
    except ValueError as error:
        raise UserError(f"--budget: {error}.") from error


def _refuse_ended(study: Study, more_s: float) -> None:
    name = study.opened.name
    if study.closed is not None and study.closed.reason != "interrupted" and not more_s:
        raise UserError(
            f"--resume: {name!r} has ended ({study.closed.reason}). Render it with `python -m superconv_tune.report "
            f"{name}`, or go on with --resume {name} --budget +20m."
        )
    late_s = time.time() - study.deadline - more_s
    if late_s >= 0.0:
        raise UserError(f"--resume: the deadline of {name!r} passed {late_s:.0f} s ago. Add time: --budget +20m.")


def data_change(study: Study, card: DataCard) -> str:
    """How data or split differ from those of the study; empty where they do not."""
    before: DataCard = decode(DataCard, study.opened.environment["data"])
    if (before.fingerprint, before.split_digest) == (card.fingerprint, card.split_digest):
        return ""
    return f"fingerprint {before.fingerprint[:12]}, now {card.fingerprint[:12]}"


def _refuse_other_data(study: Study, card: DataCard) -> None:
    change = data_change(study, card)
    if change:
        raise UserError(
            f"--resume: the data of {study.opened.name!r} have changed since it began ({change}). Start a new search "
            f"on the new data."
        )


def _resources(spec: ExperimentSpec) -> Resources:
    wanted = spec.resources
    workers = wanted.workers if isinstance(wanted.workers, int) else None
    gpus = 0.0 if wanted.gpus_per_trial == "auto" else wanted.gpus_per_trial
    return Resources(wanted.cpus_per_trial, gpus, workers)


def _handle(study: Study, where: Places) -> StudyHandle:
    recorded = study.opened.mlflow
    return StudyHandle(**{**recorded, "tracking_uri": where.with_password(recorded["tracking_uri"])})


def _kept(spec: ExperimentSpec) -> dict[str, Any]:
    """The spec for the journal, and for all that is made from it: without passwords."""
    values = spec.model_dump(mode="json")
    addresses = {key: masked(values[key]) for key in ("storage", "tracking_uri") if values[key] is not None}
    return values | addresses


def _params(spec: ExperimentSpec) -> dict[str, object]:
    shown = (
        "data",
        "task",
        "model",
        "optimizer",
        "schedule",
        "baselines",
        "metric",
        "target",
        "budget",
        "strategy",
        "sampler",
        "seed",
    )
    values = spec.model_dump(mode="json")
    return {key: values[key] for key in shown if values[key] is not None}


def _asked(study: Study, target: Target) -> str:
    goal = "how far can one get" if target.value is None else f"is {target.metric} {target.value:g} within reach"
    return f"{study.opened.name}: {goal}? {study.workers} trials at once"


def _mlflow_hint(handle: StudyHandle) -> str:
    if handle.tracking_uri.startswith("sqlite:"):
        return f"mlflow ui --backend-store-uri {handle.tracking_uri}"
    return masked(handle.tracking_uri)
