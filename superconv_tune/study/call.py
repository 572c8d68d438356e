"""How a search is called, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console


@dataclass(frozen=True)
class Call:
    """How the command was called.

    Attributes:
        started_at: Unix time of the command.
        address: of a Ray cluster; None starts a local one for the search.
        debug: whether trials run one after the other in this process, without Ray.
        console: where progress and summary are printed.
    """

    started_at: float
    address: str | None = None
    debug: bool = False
    console: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False))


@dataclass(frozen=True)
class Ended:
    """How a search ended.

    Attributes:
        verdict: ``demonstrated``, ``likely``, ``undecided`` or ``infeasible``; None without a target.
        interrupted: whether the user stopped it early.
    """

    verdict: str | None
    interrupted: bool
