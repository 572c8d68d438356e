"""How values of a metric compare."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Yardstick:
    """A metric as a measure of better and worse.

    Attributes:
        name: of the metric.
        direction: ``max`` if higher is better.
        items: examples behind one value, for a metric that is a mean over items; None for any other.
    """

    name: str
    direction: Direction = "max"
    items: int | None = None

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is the better one."""
        return self.direction == "max"

    def worth(self, value: float) -> float:
        """The value, or its negative where lower is better: of two worths the higher one is always the better."""
        return value if self.higher_is_better else -value

    def best(self, values: Iterable[float]) -> float:
        """The best of some values.

        Raises:
            ValueError: if there is none.
        """
        return max(values, key=self.worth)

    def is_better(self, value: float, than: float) -> bool:
        """Whether a value is better than another one."""
        return self.worth(value) > self.worth(than)

    def reaches(self, value: float, target: float) -> bool:
        """Whether a value is at least as good as the target."""
        return self.worth(value) >= self.worth(target)

    def standard_error(self, value: float) -> float:
        """Of one value, through the items alone; 0 where they are not counted."""
        return math.sqrt(max(0.0, value * (1.0 - value)) / self.items) if self.items else 0.0
