"""The trained models that a study has kept, as its reports show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ensemble:
    """Models that predict together, each with the same weight, judged once on the test part as the one model they are.

    The interval is over the test items alone, or over the groups that they come in. It says how well these very models
    do on other items, and not how well other seeds would do. No part of the verdict depends on it.

    Attributes:
        models: number of models, which is also how many times the price of one model a prediction has.
        value: metric on the test part.
        low: lower end of the interval at ``level``; None for a metric that is not a mean over items.
        high: upper end of it.
        level: of the interval.
    """

    models: int
    value: float
    low: float | None
    high: float | None
    level: float


@dataclass(frozen=True)
class KeptModels:
    """The models in the folder of a study.

    Attributes:
        folder: the folder.
        models: number of models.
        seed: of the one that validated best, which predicts if nothing else is asked for.
        size_bytes: of all of their weights.
        ensemble: all of them as one model; None for one alone, or where nothing is known of it.
    """

    folder: str
    models: int
    seed: int
    size_bytes: int
    ensemble: Ensemble | None = None
