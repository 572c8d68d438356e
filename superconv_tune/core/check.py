"""The result of one preflight check, made before a search begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """One line of the preflight table.

    Attributes:
        name: what was checked.
        found: what was found, in a few words.
        state: ``failure`` stops the command before the search; ``warning`` means a weaker or slower answer.
        mend: how to fix it; empty where there is nothing to fix.
    """

    name: str
    found: str
    state: Literal["ok", "warning", "failure"] = "ok"
    mend: str = ""
