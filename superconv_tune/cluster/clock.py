"""The driver's time on a worker: machines disagree about the time, and a deadline is the driver's."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class DriverClock:
    """The driver's Unix time in seconds, from this machine's monotonic clock.

    The two differ by a constant, of which every message that the driver dates gives a lower bound: it is too low by the
    time that the message took. The highest bound holds.

    Args:
        offset_s: the driver's Unix time minus this machine's monotonic clock, as measured before; None if it was not.
        monotonic: seconds of this machine, from any beginning.
    """

    def __init__(self, offset_s: float | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._offset_s = -math.inf if offset_s is None else offset_s
        self._monotonic = monotonic

    def hear(self, sent_at: float) -> None:
        """Take in that the driver's clock showed ``sent_at`` when it sent what has just arrived."""
        self._offset_s = max(self._offset_s, sent_at - self._monotonic())

    def __call__(self) -> float:
        """The driver's time now; call `hear` first unless an offset was measured."""
        return self._monotonic() + self._offset_s
