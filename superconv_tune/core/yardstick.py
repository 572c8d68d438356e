"""A metric as a yardstick: which of two values is better."""

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
        name: name of the metric.
        direction: ``max`` if higher is better.
        items: number of examples that one value averages over; None for a metric that is no mean over items. That
            they come in groups does not count here: values are compared that were measured on the same groups.
    """

    name: str
    direction: Direction = "max"
    items: int | None = None

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is better."""
        return self.direction == "max"

    def worth(self, value: float) -> float:
        """The value, or its negative where lower is better: a higher worth is always better."""
        return value if self.higher_is_better else -value

    def best(self, values: Iterable[float]) -> float:
        """The best of the values.

        Raises:
            ValueError: if there are no values.
        """
        return max(values, key=self.worth)

    def is_better(self, value: float, than: float) -> bool:
        """Whether ``value`` is strictly better than ``than``."""
        return self.worth(value) > self.worth(than)

    def reaches(self, value: float, target: float) -> bool:
        """Whether ``value`` is at least as good as ``target``."""
        return self.worth(value) >= self.worth(target)

    def standard_error(self, value: float) -> float:
        """Standard error of one value that comes from the number of items alone; 0 where ``items`` is None."""
        return math.sqrt(max(0.0, value * (1.0 - value)) / self.items) if self.items else 0.0
