"""The exit code of a search."""

from __future__ import annotations


def exit_code(verdict: str | None, interrupted: bool, require: str | None) -> int:  # noqa: FBT001 - a table's row
    """The exit code of a search that ended with this verdict; ``--help`` lists all codes."""
    if interrupted:
        return 130
    accepted = {None: (verdict,), "demonstrated": ("demonstrated",), "likely": ("demonstrated", "likely")}
    return 0 if verdict in accepted[require] else 3
