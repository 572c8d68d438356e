"""Folders of save_to_disk, of images and of columns."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data import cache, huggingface
from superconv_tune.data.formats import load
from tests.samples import CLASSES, flowers, photos, picture

LABELLED = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})


def pictures(first: int, labels: list[int]) -> datasets.Dataset:
    images = [picture(max(label, 0), first + row) for row, label in enumerate(labels)]
    return datasets.Dataset.from_dict({"image": images, "label": labels}, features=LABELLED)


def test_images_with_given_parts(tmp_path: Path) -> None:
    parts = {"train": pictures(0, [0, 1, 2] * 10), "test": pictures(100, [0, 1, 2])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "d")
    data = load("hf", tmp_path / "d", {"size": 20})
    assert data.test is not None
    assert (data.class_names, len(data.train), len(data.test)) == (CLASSES, 30, 3)
    assert data.names["test"] == ["test[0]", "test[1]", "test[2]"]
    middle = np.asarray(picture(1, 101))[:, 2:22].transpose(2, 0, 1)
    np.testing.assert_array_equal(data.test.inputs[1], middle)
    load("hf", tmp_path / "d", {"size": 20})
    assert len(list(cache.place().iterdir())) == 1


def test_images_without_a_label_are_left_out(tmp_path: Path) -> None:
    pictures(0, [0, 1, 2, -1] * 10).save_to_disk(tmp_path / "d")
    data = load("hf", tmp_path / "d", {})
    assert len(data.train) == 30
    assert data.warnings[0] == "10 images without a label left out."


def test_lines_without_an_image_are_left_out(tmp_path: Path) -> None:
    made = pictures(0, [0, 1, 2] * 10)
    blank = datasets.Dataset.from_dict({"image": [None], "label": [1]}, features=made.features)
    datasets.concatenate_datasets([made, blank]).save_to_disk(tmp_path / "d")
    data = load("hf", tmp_path / "d", {})
    assert len(data.train) == 30
    assert data.warnings[0] == "1 line without an image left out."


def test_images_that_are_named_and_not_stored(tmp_path: Path) -> None:
    files = sorted(photos(tmp_path / "p").rglob("*.png"))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    columns = {"image": [str(file) for file in files], "label": [file.parent.name for file in files]}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "d")
    data = load("hf", tmp_path / "d", {"size": 20})
    assert data.class_names == CLASSES
    plain = load("image_folder", tmp_path / "p", {"size": 20})
    np.testing.assert_array_equal(data.train.inputs[:], plain.train.inputs[:])


def test_columns_are_read_as_a_table_is(tmp_path: Path) -> None:
    frame = flowers()
    frame["kind"] = [CLASSES.index(name) for name in frame.pop("label")]
    columns = datasets.Dataset.from_pandas(frame).cast_column("kind", datasets.ClassLabel(names=list(CLASSES)))
    columns.save_to_disk(tmp_path / "d")
    data = load("hf", tmp_path / "d", {})
    assert (data.class_names, [column.name for column in data.columns]) == (CLASSES, ["length", "colour"])
    with pytest.raises(UserError, match="ignore names size"):
        load("hf", tmp_path / "d", {"ignore": ["size"]})


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'superconv-tune\[hf\]'"):
        load("hf", tmp_path, {})
