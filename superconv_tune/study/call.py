"""How a search is called, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from superconv_tune.cluster.reachable import found
from superconv_tune.cluster.surroundings import surroundings
from superconv_tune.core.background import Background
from superconv_tune.core.last_words import last_words
from superconv_tune.reporting.findings import Findings
from superconv_tune.study.logs import no_log

NOTHING_BEGAN = (
    "error: the process ended without a word: it was killed, or Ray broke down. No trial had begun; the same command "
    "begins again."
)


@dataclass(frozen=True)
class Call:
    """How the command was called.

    Attributes:
        started_at: Unix time of the command.
        address: of a Ray cluster; None starts a local one for the search.
        debug: whether trials run one after the other in this process, without Ray.
        console: where progress and summary are printed.
        ray: the connection to Ray, or its beginning; None with ``debug``.
        last_words: sets what is said if the process ends without a word.
        fresh_ledger: why earlier looks at the test part are not to count; None if they are.
    """

    started_at: float
    address: str | None = None
    debug: bool = False
    # In a notebook it prints plain text too, and not a paragraph of HTML for every line.
    console: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False, force_jupyter=False))
    ray: Background[None] | None = None
    last_words: Callable[[str], None] = field(default=lambda _: None)
    fresh_ledger: str | None = None


@dataclass(frozen=True)
class Ended:
    """How a search ended.

    Attributes:
        verdict: ``demonstrated``, ``likely``, ``undecided`` or ``infeasible``; None without a target.
        interrupted: whether the user stopped it early.
        findings: everything that it found; None if another driver took it over.
        folder: where its files are; None as above.
    """

    verdict: str | None
    interrupted: bool
    findings: Findings | None = None
    folder: Path | None = None


@contextmanager
def called(started_at: float, address: str | None, *, debug: bool) -> Iterator[Call]:
    """The call, with Ray starting in the background: it takes seconds, as what follows inside the block does.

    Whatever happens inside, Ray has ended with the block. Ray ends the whole process where it breaks down itself. An
    interruption while it ends only ends it at once: what the block was for is done.

    Raises:
        UserError: if the address leads to no cluster, or to one that must not be used.
    """
    with last_words(NOTHING_BEGAN) as words:
        if debug:
            yield Call(started_at, address, debug, last_words=words)
            return
        is_done = False
        try:
            with connecting(address) as (place, ray):
                yield Call(started_at, place, ray=ray, last_words=words)
                is_done = True
        except KeyboardInterrupt:
            if not is_done:
                raise


@contextmanager
def connecting(address: str | None) -> Iterator[tuple[str | None, Background[None]]]:
    """Where the cluster is, None for a local one, and the beginning of the connection, which ends with the block.

    Raises:
        UserError: if the address leads to no cluster, or to one that must not be used.
    """
    place = found(address)
    with no_log(), surroundings(place), Background(lambda: _connected(place)) as ray:
        yield place, ray


def _connected(address: str | None) -> AbstractContextManager[None]:
    """The connection to Ray, which is imported here, inside of its surroundings."""
    from superconv_tune.cluster.connection import cluster  # noqa: PLC0415 - imports Ray, beside torch

    return cluster(address)
