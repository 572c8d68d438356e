"""What the shell is told at the end of a search."""

from __future__ import annotations


def exit_code(verdict: str | None, interrupted: bool, require: str | None) -> int:  # noqa: FBT001 - a table's row
    """What the shell is told; see the table of exit codes in ``--help``."""
    if interrupted:
        return 130
    accepted = {None: (verdict,), "demonstrated": ("demonstrated",), "likely": ("demonstrated", "likely")}
    return 0 if verdict in accepted[require] else 3
