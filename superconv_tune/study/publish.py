"""The files and the summary of a study."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from superconv_tune.core.errors import UserError
from superconv_tune.reporting.findings import Findings
from superconv_tune.reporting.outputs import write_outputs
from superconv_tune.reporting.summary import summary
from superconv_tune.study.parent_run import where_curves_are
from superconv_tune.study.places import Places
from superconv_tune.study.stored import StoredStudy


def write_files(findings: Findings, where: Places) -> list[Path]:
    """Write verdict, report, recipe and tables into the study's folder.

    Raises:
        UserError: if that does not work.
    """
    try:
        return write_outputs(findings, where.folder)
    except OSError as error:
        raise UserError(
            f"The files of {where.name!r} cannot be written into {where.folder}/ ({error.strerror or error}). All that "
            f"was learned is in the journal: mend the folder, then `python -m superconv_tune.report {where.name}`."
        ) from error


def print_summary(console: Console, findings: Findings, stored: StoredStudy, *, sent: bool) -> None:
    """Print it; ``sent``: MLflow has taken everything."""
    curves = where_curves_are(stored.recorded_handle)
    console.print(summary(findings, stored.where.folder, curves), markup=False)
    if not sent:
        again = f"python -m superconv_tune.report {stored.name}"
        console.print(f"MLflow did not take everything; once it answers, `{again}` brings the rest.", markup=False)
