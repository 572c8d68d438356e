"""The preflight's table: the same lines with and without a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from superconv_tune.core.check import Check
from superconv_tune.reporting.preflight_table import check_lines, show_checks

CHECKS = [
    Check("data", "300 examples"),
    Check("memory", "1 GiB free", "warning", "Lower --workers."),
    Check("[bold]disk", "full\x1b[2J", "failure", "Make room."),
]


def printed(*, is_terminal: bool) -> str:
    out = StringIO()
    show_checks(Console(file=out, force_terminal=is_terminal, width=60), CHECKS)
    return out.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_every_word_is_there_and_none_moves_the_cursor(is_terminal: bool) -> None:
    text = printed(is_terminal=is_terminal)
    for words in ("ok", "warning", "failure", "300 examples", "Lower --workers.", "[bold]disk"):
        assert words in text
    assert "\x1b[2J" not in text


def test_plain_lines_are_one_each() -> None:
    assert printed(is_terminal=False).splitlines() == check_lines(CHECKS)
    assert check_lines(CHECKS)[1] == "warning  memory      1 GiB free Lower --workers."
