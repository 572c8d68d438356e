"""The table of the preflight: compact on a terminal, plain lines elsewhere and in the log."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from superconv_tune.core.check import Check
from superconv_tune.core.errors import one_line

STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}


def show_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print the table."""
    if not console.is_terminal:
        for line in check_lines(checks):
            console.print(line, markup=False, highlight=False, soft_wrap=True, emoji=False)
        return
    table = Table.grid(padding=(0, 2))
    for style in (None, "dim", None):
        table.add_column(style=style)
    for check in checks:
        details = Text(one_line(check.found))
        if check.mend:
            details.append(f"\n{one_line(check.mend)}", style="dim")
        table.add_row(Text(check.state, style=STYLES[check.state]), Text(one_line(check.name)), details)
    console.print(table, soft_wrap=False)


def check_lines(checks: Sequence[Check]) -> list[str]:
    """The table as plain lines."""
    width = max((len(check.name) for check in checks), default=0)
    return [
        one_line(f"{check.state:<8} {check.name:<{width}}  {check.found} {check.mend}".rstrip()) for check in checks
    ]
