"""What MLflow calls to load a model that a study kept; it names this module in its own description of the model."""

from __future__ import annotations

from superconv_tune.kept.predictor import Predictor, load


def _load_pyfunc(path: str) -> Predictor:
    """The model in a folder; MLflow calls its `predict`."""
    return load(path)
