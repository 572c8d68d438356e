"""The known metrics. A new one is a function in `superconv_tune.measures.scores` and a line in `METRICS`.

A spec is checked against this table before torch is imported, so the functions are imported when they are first called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from superconv_tune.core.lazy import LazyFunction
from superconv_tune.core.yardstick import Direction


@dataclass(frozen=True)
class Metric:
    """A number that says how good the outputs are.

    Attributes:
        name: as in the spec, the report and MLflow.
        direction: ``max`` if higher is better.
        low: least possible value; None if unbounded.
        high: greatest possible value; None if unbounded.
        compute: outputs [n, ...] and targets [n, ...] (tensors) to the value.
        correct: the same to a boolean tensor, shape [n]; None where the metric is not a mean over items.
        regression: whether targets are numbers instead of classes; a metric of your own may leave it out.
    """

    name: str
    direction: Direction
    low: float | None
    high: float | None
    compute: Callable[[Any, Any], float]
    correct: Callable[[Any, Any], Any] | None = None
    regression: bool = False

    @property
    def item_level(self) -> bool:
        """Whether the metric is the share of items that are right."""
        return self.correct is not None


ACCURACY = "superconv_tune.measures.accuracy"  # in plain torch, so that most trials need nothing else
SCORES = "superconv_tune.measures.scores"

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "accuracy",
            "max",
            0.0,
            1.0,
            LazyFunction(f"{ACCURACY}:accuracy"),
            LazyFunction(f"{ACCURACY}:correct_items"),
        ),
        Metric(
            "top5_accuracy",
            "max",
            0.0,
            1.0,
            LazyFunction(f"{SCORES}:top5_accuracy"),
            LazyFunction(f"{SCORES}:in_top5"),
        ),
        Metric("balanced_accuracy", "max", 0.0, 1.0, LazyFunction(f"{SCORES}:balanced_accuracy")),
        Metric("macro_f1", "max", 0.0, 1.0, LazyFunction(f"{SCORES}:macro_f1")),
        Metric("mcc", "max", -1.0, 1.0, LazyFunction(f"{SCORES}:mcc")),
        Metric("auroc", "max", 0.0, 1.0, LazyFunction(f"{SCORES}:auroc")),
        Metric("average_precision", "max", 0.0, 1.0, LazyFunction(f"{SCORES}:average_precision")),
        Metric("rmse", "min", 0.0, None, LazyFunction(f"{SCORES}:rmse"), regression=True),
        Metric("mae", "min", 0.0, None, LazyFunction(f"{SCORES}:mae"), regression=True),
        Metric("r2", "max", None, 1.0, LazyFunction(f"{SCORES}:r2"), regression=True),
    )
}
TOP = 5  # classes that `top5_accuracy` takes as right
