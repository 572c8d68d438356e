"""Several studies side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from superconv_tune.core.errors import UserError
from superconv_tune.core.files import write_atomically
from superconv_tune.reporting.side_by_side import render_side_by_side, side_by_side_table
from superconv_tune.study.render import findings_from_journal

PAGE = "side-by-side.html"  # in the folder of all studies


def compare(names: Sequence[str], output: str, storage: str | None, console: Console) -> Path:
    """Write a page with several studies side by side, and print them as a table.

    Returns:
        The page.

    Raises:
        UserError: if one of them does not exist, or the page cannot be written.
    """
    studies = [findings_from_journal(name, output, storage)[0] for name in names]
    page = Path(output) / PAGE
    try:
        write_atomically(page, render_side_by_side(studies).encode())
    except OSError as error:
        raise UserError(f"--output: {page} cannot be written ({error.strerror or error}).") from error
    console.print(side_by_side_table(studies))
    console.print(f"page: {page}", markup=False, soft_wrap=True)
    return page
