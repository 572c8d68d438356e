"""The files and the summary of a study."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.journal.unstored import keep
from superconv_tune.record.events import Event
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.outputs import write_outputs
from superconv_tune.reporting.summary import summary
from superconv_tune.study.parent_run import where_curves_are
from superconv_tune.study.places import Places
from superconv_tune.study.stored import StoredStudy

logger = logging.getLogger(__name__)


def write_files(findings: Findings, where: Places) -> list[Path]:
    """Write verdict, report, recipe and tables into the study's folder.

    Raises:
        UserError: if a file cannot be written.
    """
    try:
        return write_outputs(findings, where.folder, where.command("report"))
    except OSError as error:
        raise UserError(
            f"The files of {where.name!r} cannot be written into {where.folder}/ ({error.strerror or error}). All "
            f"results are in the journal: fix the folder, then run `{where.command('report')}`."
        ) from error


def keep_unstored(events: Sequence[Event], stored: StoredStudy, journal: Journal) -> tuple[str, ...]:
    """Write the events that the journal did not accept into the study's folder; returns what the user should know."""
    if not events:
        return ()
    storage, name = stored.where.storage, stored.name
    what = f"The storage {storage} did not accept the last {len(events)} events of the search"
    try:
        keep(stored.where.folder, events, journal.epoch(name))
    except OSError as error:
        logger.warning("%s, nor did the folder: %s", what, error)
        return (f"{what}, nor did {stored.where.folder}/ ({error.strerror}): --resume repeats the trials in them.",)
    return (f"{what}; `{stored.where.command('report')}` brings them in once it answers.",)


def print_summary(console: Console, findings: Findings, stored: StoredStudy, *, sent: bool) -> None:
    """Print the summary, and how to send the rest to MLflow unless everything was ``sent``."""
    curves = where_curves_are(stored.recorded_handle)
    console.print(summary(findings, stored.where.folder, curves), markup=False)
    if not sent:
        again = stored.where.command("report")
        console.print(f"MLflow did not accept everything; once it answers, `{again}` sends the rest.", markup=False)
