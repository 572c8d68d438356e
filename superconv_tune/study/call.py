"""How a search is called, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console


@dataclass(frozen=True)
class Call:
    """How the command was called.

    Attributes:
        started_at: Unix time of the command.
        address: of a Ray cluster; None starts a local one and ends it again.
        debug: runs one trial after the other in this process, without Ray.
        console: where progress and summary go.
    """

    started_at: float
    address: str | None = None
    debug: bool = False
    console: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False))


@dataclass(frozen=True)
class Ended:
    """How a search ended: its verdict's word, if a target was asked, and whether the user cut it short."""

    verdict: str | None
    interrupted: bool
