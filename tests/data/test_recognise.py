"""What lies at a path says which format reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import format_of


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["a.CSV"], "table"),
        (["iris.data"], "table"),
        (["train.parquet", "test.parquet"], "table"),
        (["a/train/ant/1.png", "a/test/ant/1.png"], "image_folder"),
        (["1.png", "2.png"], "image_folder"),  # which says that the classes are missing
        (["x_train.npy", "y_train.npy"], "npy"),
        (["train-images-idx3-ubyte.gz", "a.csv"], "idx"),
        (["dataset_dict.json", "train/state.json"], "hf"),
        (["state.json", "dataset_info.json", "data-00000-of-00001.arrow"], "hf"),
        (["labels.csv", "ant/1.png", "bee/1.png"], "image_folder"),  # the table belongs to the images
        (["train.csv", "plots/1.png"], "table"),
        (["._a.csv", "a.parquet"], "table"),
        (["._x.npy", "ant/1.png", "bee/1.png"], "image_folder"),
        (["@eaDir/1.png", "@eaDir/a.csv"], None),
        (["a.txt"], None),
        (["a/b/c/d/1.png"], None),
        ([".a/1.png"], None),
    ],
)
def test_what_a_folder_holds(files: list[str], found: str | None, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    root = tmp_path / "a" if all(name.startswith("a/") for name in files) else tmp_path
    if found is not None:
        assert format_of(root) == found
        return
    with pytest.raises(UserError, match="is not clear"):
        format_of(root)
