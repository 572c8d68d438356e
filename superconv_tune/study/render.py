"""Write the files of a study again, from its journal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.unstored import bring_in
from superconv_tune.reporting.findings import Findings
from superconv_tune.study.conclude import findings_of, proposer_of
from superconv_tune.study.kept_models import keep_models, kept_models
from superconv_tune.study.logs import no_log
from superconv_tune.study.parent_run import catch_up
from superconv_tune.study.publish import print_summary, write_files
from superconv_tune.study.stored import StoredStudy, existing, stored


def render(name: str, output: str, storage: str | None, console: Console, *, tensorboard: bool = False) -> Path:
    """Write the files of a study again from its journal, and print the summary.

    If the study has ended, or its driver has, what the journal and MLflow could not receive is sent to them now.

    Args:
        name: name of the study.
        output: folder of all studies.
        storage: database URL of the journal; None for the file in ``output``.
        console: where the summary is printed.
        tensorboard: whether TensorBoard's event files are written too.

    Returns:
        The report.

    Raises:
        UserError: if there is no such study, or its files cannot be written.
    """
    findings, found = findings_from_journal(name, output, storage)
    files = write_files(findings, found.where)
    if tensorboard:
        _write_events(findings, found.where.folder / "tensorboard")
    with no_log():
        sent = _goes_on(found) or catch_up(findings, found, files)
    print_summary(console, findings, found, sent=sent)
    return found.where.folder / "report.html"


def _write_events(findings: Findings, folder: Path) -> None:
    from superconv_tune.reporting.tensorboard import write_events  # noqa: PLC0415 - only where it is wanted

    try:
        write_events(findings.study, folder)
    except OSError as error:
        raise UserError(
            f"--tensorboard: {folder} cannot be written ({error.strerror}). Free space, or ask again."
        ) from error


def _goes_on(found: StoredStudy) -> bool:
    """Whether a driver may still be at work."""
    if found.study.closed is not None:
        return False
    with Journal(found.where.storage) as journal:
        return journal.is_driven(found.name)


def findings_from_journal(name: str, output: str, storage: str | None) -> tuple[Findings, StoredStudy]:
    """What a study found up to its last event, and the study itself.

    Raises:
        UserError: if there is no such study.
    """
    where = existing(Path(output), name, storage)
    with Journal(where.storage) as journal:
        bring_in(journal, name, where.folder)
        found = stored(journal, where)
        is_over = found.study.closed is not None or not journal.is_driven(name)
        last = journal.events(name)[-1].at
    brief = found.brief
    proposer = proposer_of(name, brief, found.spec.sampler, where.storage, journal.options)
    if found.study.closed is not None:  # a search that goes on does it itself
        proposer.reconcile(found.study)
    if is_over and where.drafts.exists():  # its driver ended before it chose among its models
        keep_models(found.study, where, found.spec.keep_models)
    kept = kept_models(found.study, where)
    return findings_of(found.study, brief, proposer, last, found.card.warnings, kept), found
