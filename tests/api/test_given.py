"""Data in memory, written into a folder and read back as what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from superconv_tune.api.given import is_held, kind_of, write
from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import load
from superconv_tune.data.parts import RawData

ROWS = 30
X = np.arange(ROWS * 2, dtype=np.float64).reshape(ROWS, 2)
WORDS = np.array(["ant", "bee", "cat"])[np.arange(ROWS) % 3]
CODES = np.arange(ROWS) % 3


def read(data: object, folder: Path, label: str | int | None = None) -> RawData:
    section = write(data, label, folder)
    return load(section["format"], Path(section["path"]), section.get("args", {}))


class Noisy(Dataset[tuple[torch.Tensor, int]]):
    """Gives other items every time."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return torch.rand(2), row % 2


@pytest.mark.parametrize(
    "pair",
    [
        (X, CODES),
        (X.tolist(), CODES.tolist()),
        [torch.tensor(X), torch.tensor(CODES)],
        (X, pd.Series(CODES)),
        TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(CODES)),
    ],
)
def test_arrays_come_back(pair: object, tmp_path: Path) -> None:
    raw = read(pair, tmp_path)
    np.testing.assert_array_equal(raw.train.inputs, X.astype(np.float32))
    np.testing.assert_array_equal(raw.train.targets, CODES)
    assert raw.class_names == ("0", "1", "2")
    assert is_held(pair)
    assert kind_of(pair) == "arrays"


@pytest.mark.parametrize("words", [WORDS, WORDS.astype(object), pd.Series(WORDS), pd.Series(WORDS, dtype="category")])
def test_class_names_in_words_come_back(words: object, tmp_path: Path) -> None:
    raw = read((X, words), tmp_path)
    assert raw.class_names == ("ant", "bee", "cat")
    np.testing.assert_array_equal(raw.train.targets, CODES)


def test_images_keep_their_shape_and_their_bytes(tmp_path: Path) -> None:
    images = np.arange(ROWS * 48, dtype=np.uint8).reshape(ROWS, 3, 4, 4)
    raw = read((images, CODES), tmp_path)
    np.testing.assert_array_equal(raw.train.inputs, images)


def test_a_table_comes_back_with_words_dates_and_gaps(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"a": X[:, 0], 7: pd.Series(WORDS, dtype="category"), "species": WORDS}, index=range(5, 5 + ROWS)
    )
    frame.loc[8, "a"] = np.nan
    raw = read(frame, tmp_path, label="species")
    assert raw.class_names == ("ant", "bee", "cat")
    assert {column.name for column in raw.columns} == {"a", "7"}
    assert any("median" in warning or "missing" in warning for warning in raw.warnings)
    assert kind_of(frame) == "table"


def test_the_label_may_be_the_first_column_by_its_number(tmp_path: Path) -> None:
    raw = read(pd.DataFrame({"species": WORDS, "size": X[:, 0], "weight": X[:, 1]}), tmp_path, label=0)
    assert raw.class_names == ("ant", "bee", "cat")
    assert [column.name for column in raw.columns] == ["size", "weight"]


def test_a_table_beside_its_targets(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=["target", "b"])
    raw = read((frame, pd.Series(CODES, name="target")), tmp_path)
    assert [column.name for column in raw.columns] == ["target", "b"]
    np.testing.assert_array_equal(raw.train.targets, CODES)


@pytest.mark.parametrize(
    ("data", "label", "said"),
    [
        ((X, CODES, 1), None, "tuple of 3"),
        ((X, CODES), "a", "names a column of a table"),
        ((pd.DataFrame(X), CODES), "a", "has its targets in y"),
        ((pd.DataFrame(X), CODES[:-1]), None, "Give one value per row"),
        (([[1, 2], [3]], [0, 1]), None, "of one shape"),
        ((X.astype(object) + 1j, CODES), None, "cannot be made into an array"),
        (pd.DataFrame({"a": [1, "x", b"y"]}), None, "cannot be written"),
        (pd.DataFrame({"a": [1j, 2j]}), None, "cannot be written"),
        (Noisy(), None, "differ when they are read twice"),
    ],
)
def test_what_cannot_be_used(data: object, label: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        write(data, label, tmp_path)


def test_a_path_and_a_spec_are_not_data() -> None:
    for other in ("photos", Path("a.csv"), {"data": "digits"}, None, 4):
        assert not is_held(other)
