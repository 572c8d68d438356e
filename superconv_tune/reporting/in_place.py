"""A panel in a notebook, updated in place."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import RenderableType

LEAST_S = 0.25  # between two updates, each of which is a message to the browser


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class InPlace:
    """Shows what a function makes, as rich's ``Live`` does on a terminal; it stays when it is stopped.

    Unlike ``Live`` it is not drawn by a thread: what a thread displays may land in another cell.

    Args:
        make: makes what is shown; rich's renderables know how notebooks show them.
    """

    def __init__(self, make: Callable[[], RenderableType]) -> None:
        self._make = make
        self._shown: Any = None
        self._at = 0.0

    @property
    def is_started(self) -> bool:
        """Whether it is shown and goes on changing."""
        return self._shown is not None

    def start(self, *, refresh: bool = True) -> None:
        """Show it in the present cell."""
        from IPython.display import display  # noqa: PLC0415 - there is one where there are notebooks, and only there

        del refresh  # it is drawn anyway
        self._shown = display(self._make(), display_id=True)  # type: ignore[no-untyped-call]

    def refresh(self) -> None:
        """Show the present state, unless that was done a moment ago."""
        if self.is_started and time.monotonic() - self._at >= LEAST_S:
            self._shown.update(self._make())
            self._at = time.monotonic()

    def stop(self) -> None:
        """Show the last state for good."""
        self._at = 0.0
        self.refresh()
        self._shown = None
