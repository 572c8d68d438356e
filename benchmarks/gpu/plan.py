"""The steps of the check, in their order, with the seconds after which each is ended."""

from __future__ import annotations

from collections.abc import Mapping

TOTAL_S = 470.0  # of all; the last step has what the others leave
SEARCH_S = 180.0  # budget of the search
LIMITS_S: Mapping[str, float] = {
    "machine": 30.0,
    "start": 30.0,
    "tests": 60.0,
    "waits": 30.0,
    "eager": 150.0,
    "search": SEARCH_S + 10.0,
    "epoch": 25.0,
    "together": 40.0,
    "compiled": 90.0,
}
TINY_PATIENCE = 10.0  # times as long has a tiny check, whose machine may be busy with others
END_S = 3.0  # before its end a step begins nothing more
