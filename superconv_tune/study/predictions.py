"""Predictions of a kept model as a csv file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from superconv_tune.core.errors import UserError
from superconv_tune.core.files import write_atomically
from superconv_tune.data.nested import shape_words
from superconv_tune.kept.predictor import Predictions, Predictor


def write_predictions(predictor: Predictor, data: Path, output: Path) -> Predictions:
    """Predict what is at a path, and write a line per item: ``item``, ``prediction``, and a column per class.

    Raises:
        UserError: if the items cannot be read, are not like those of the training, or the file cannot be written.
    """
    found = predictor.predictions(data)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(_lines(found))
    try:
        write_atomically(output, text.getvalue().encode())
    except OSError as error:
        raise UserError(f"--output: {output} cannot be written ({error.strerror}).") from error
    return found


def _lines(found: Predictions) -> Iterator[list[Any]]:
    values = found.values
    if not isinstance(values, np.ndarray):
        raise UserError(
            f"predict: the model gives {shape_words(values)} and not one tensor, which a line per item cannot hold. "
            f"Use superconv_tune.load(…).predict(…)."
        )
    if found.probabilities is not None:
        yield ["item", "prediction", *(f"p_{label}" for label in found.labels)]
        for item, value, each in zip(found.items, values.tolist(), found.probabilities.tolist(), strict=True):
            yield [item, value, *each]
        return
    values = values.reshape(len(found.items), -1)
    names = ["prediction"] if values.shape[1] == 1 else [f"prediction_{place}" for place in range(values.shape[1])]
    yield ["item", *names]
    for item, row in zip(found.items, values.tolist(), strict=True):
        yield [item, *row]
