"""Other values of the planner's division, to be replayed beside the default one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from superconv_tune.planner.brief import Division

VARIANTS: Mapping[str, Division] = {
    "no lower rungs": replace(Division(), lower_rungs=0),
    "factor 2": replace(Division(), factor=2.0),
}
