"""What was looked at before a search began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """One line of the preflight.

    Attributes:
        name: what was looked at.
        found: what was found, in a few words.
        state: ``failure`` ends the command before anything starts; ``warning`` makes the answer weaker or slower.
        mend: what to do about it; empty where there is nothing to do.
    """

    name: str
    found: str
    state: Literal["ok", "warning", "failure"] = "ok"
    mend: str = ""
