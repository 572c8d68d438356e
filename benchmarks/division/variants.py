"""Other values of the planner's division, which ``--variants`` replays beside the default one.

An entry is a name and what differs: ``"factor 2": replace(Division(), factor=2.0)``.
"""

from __future__ import annotations

from collections.abc import Mapping

from superconv_tune.planner.brief import Division

VARIANTS: Mapping[str, Division] = {}
