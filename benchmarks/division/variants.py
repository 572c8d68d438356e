"""Other values of the planner's division, which ``--variants`` replays beside the default one.

An entry is a name and what differs: ``"factor 2": replace(Division(), factor=2.0)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from superconv_tune.planner.brief import Division

DEFAULT = Division()
VARIANTS: Mapping[str, Division] = {
    "factor 2": replace(DEFAULT, factor=2.0),
    "factor 4": replace(DEFAULT, factor=4.0),
    "stretch 3": replace(DEFAULT, stretch=3.0),
    "stretch 4": replace(DEFAULT, stretch=4.0),
    "stretch 8": replace(DEFAULT, stretch=8.0),
    "width 4": replace(DEFAULT, width=4),
    "width 6": replace(DEFAULT, width=6),
    "width 6, stretch 3": replace(DEFAULT, width=6, stretch=3.0),
    "first 6": replace(DEFAULT, first=6),
}
