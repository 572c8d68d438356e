"""Groups are read from paths, columns and tasks, and no split tears them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import load
from superconv_tune.data.groups import coded, of_paths
from superconv_tune.data.parts import Part, RawData
from superconv_tune.data.split import split
from tests.samples import flowers, photos, picture


def raw(groups: np.ndarray, labels: np.ndarray | None) -> RawData:
    inputs = np.arange(len(groups), dtype=np.float32)[:, None]
    targets = inputs[:, 0] if labels is None else labels
    kind, classes = ("regression", None) if labels is None else ("classification", int(labels.max()) + 1)
    return RawData(Part(inputs, targets, groups.astype(np.int64)), None, kind, classes)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=12, max_size=60),
    classes=st.sampled_from([0, 2, 4]),
    seed=st.integers(0, 2**64),
    validation=st.floats(0.15, 0.3),
    test=st.floats(0.15, 0.4),
)
def test_no_group_is_on_two_sides(sizes: list[int], classes: int, seed: int, validation: float, test: float) -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    labels = np.random.default_rng(1).integers(classes, size=len(groups)) if classes else None
    if len(groups) < 150:
        return
    found = split(raw(groups, labels), validation, test, seed)
    assert found.validation is not None
    assert found.test is not None
    sides = [found.train, found.validation, found.test]
    np.testing.assert_array_equal(np.sort(np.concatenate(sides)), np.arange(len(groups)))
    behind = [set(groups[rows].tolist()) for rows in sides]
    assert not behind[0] & behind[1]
    assert not behind[0] & behind[2]
    assert not behind[1] & behind[2]
    assert all((np.diff(rows) > 0).all() for rows in sides)
    for rows, share in ((found.validation, validation), (found.test, test)):
        assert abs(len(rows) - share * len(groups)) <= max(sizes)


def test_classes_are_as_even_as_groups_allow() -> None:
    """Thirty patients, each of one class or another, mostly: the draws find a test part that has half of each."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), rng.integers(5, 40, 30))
    labels = (rng.random(len(groups)) < np.where(np.arange(30) % 2, 0.95, 0.05)[groups]).astype(np.int64)
    apart = []
    for seed in range(10):
        found = split(raw(groups, labels), 0.2, 0.2, seed)
        assert found.test is not None
        apart.append(abs(labels[found.test].mean() - labels.mean()))
    assert max(apart) < 0.05


def test_a_split_of_groups_never_moves() -> None:
    """A study that is resumed, or verified next year, holds out the same groups."""
    groups = np.arange(300) // 10
    one, again, other = (split(raw(groups, np.arange(300) % 3), 0.2, 0.2, seed).digest for seed in (0, 0, 1))
    assert one == again != other
    assert one == "ecadcfd152e151b896adcd42e020d448367be89330576a8df45c5edca2a99f40"


@pytest.mark.parametrize(
    ("groups", "labels", "words"),
    [
        (np.arange(60) // 15, np.arange(60) % 2, "4 groups are too few"),
        (np.arange(100) // 20, np.arange(100) % 2, "has one group only of 5"),
        (
            np.arange(100) // 5,
            np.arange(100) // 95,
            "part: 1 (5 examples in 1 group)",
        ),
    ],
)
def test_too_few_groups_are_refused(groups: np.ndarray, labels: np.ndarray, words: str) -> None:
    with pytest.raises(UserError) as caught:
        split(raw(groups, labels), 0.2, 0.2, 0)
    assert any(words in message for message in caught.value.messages)


def test_what_groups_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"all 4 examples into one group, 'a'"):
        coded({"train": ["a", "a"], "test": ["a", "a"]}, "column 'x'")
    with pytest.raises(UserError, match=r"each of 3 examples into a group of its own, such as 1, 2, 3"):
        coded({"train": [1, 2, 3]}, "column 'x'")
    with pytest.raises(UserError, match=r"finds no group in 1 of 3 paths, such as b/x\.png"):
        of_paths(r"p(\d)", {"train": ["a/p1_0.png", "a/p1_1.png", "b/x.png"]})


def test_groups_have_the_same_numbers_in_all_parts() -> None:
    found = coded({"train": ["b", "a", "b"], "validation": [], "test": ["c", "b"]}, "")
    assert {part: codes.tolist() for part, codes in found.items()} == {
        "train": [1, 0, 1], "validation": [], "test": [2, 1],
    }  # fmt: skip
    whole = of_paths("p[0-9]", {"train": ["a/p1x.png", "b/p1y.png", "b/p2.png"]})
    assert whole["train"].tolist() == [0, 0, 1]


def test_images_are_grouped_by_their_paths(tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / "p" / ("ant", "bee")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        picture(number % 2, number).save(folder / f"person{number // 8}_{number:03d}.png")
    data = load("image_folder", tmp_path / "p", {"size": 8, "group": r"(person\d+)_"})
    assert data.train.groups is not None
    names = [name.partition("/")[2].partition("_")[0] for name in data.names["train"]]
    assert [f"person{code}" for code in data.train.groups] == names
    assert data.train.take(np.array([0, 39])).groups is not None
    assert load("image_folder", photos(tmp_path / "q"), {"size": 8}).train.groups is None


def test_a_column_names_the_groups_and_is_no_input(tmp_path: Path) -> None:
    frame = flowers()
    frame.insert(1, "patient", [f"p{number // 6}" for number in range(60)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for name, path, asked in (("table", "t.csv", "patient"), ("table", "t.csv", "1"), ("jsonl", "t.jsonl", "patient")):
        data = load(name, tmp_path / path, {"group": asked})
        assert data.train.groups is not None
        assert data.train.groups.tolist() == [number // 6 for number in range(60)]
        assert [column.name for column in data.columns] == ["length", "colour"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [("nobody", "no column 'nobody'"), ("label", "as its label the column 'label'"), ("patient", "2 lines")],
)
def test_a_column_that_names_no_groups_is_refused(tmp_path: Path, asked: str, words: str) -> None:
    frame = flowers()
    frame["patient"] = [f"p{number // 6}" for number in range(58)] + [None, " "]
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UserError, match=words):
        load("table", tmp_path / "t.csv", {"group": asked})


def test_parts_that_came_split_keep_their_groups(tmp_path: Path) -> None:
    for part, first in (("train", 0), ("test", 5)):
        frame = flowers(60, seed=first)
        frame["patient"] = [first + number // 10 for number in range(60)]
        frame.to_csv(tmp_path / f"{part}.csv", index=False)
    data = load("table", tmp_path, {"group": "patient"})
    assert data.test is not None
    assert data.test.groups is not None
    assert data.train.groups is not None
    assert len(set(data.train.groups.tolist()) & set(data.test.groups.tolist())) == 1
    assert data.test.number_of_groups == 6


def test_hugging_faces_columns_name_groups(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    frame = flowers()
    frame["patient"] = [number // 6 for number in range(60)]
    datasets.Dataset.from_pandas(pd.DataFrame(frame)).save_to_disk(tmp_path / "table")
    table = load("hf", tmp_path / "table", {"group": "patient"})
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.Value("string"), "patient": datasets.Value("int64")}
    )
    columns = {
        "image": [picture(number % 3, number) for number in range(60)],
        "label": [str(number % 3) for number in range(60)],
        "patient": [number // 6 for number in range(60)],
    }
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "images")
    images = load("hf", tmp_path / "images", {"group": "patient", "size": 8})
    for data in (table, images):
        assert data.train.groups is not None
        assert np.bincount(data.train.groups).tolist() == [6] * 10
    with pytest.raises(UserError, match="no column 'nobody' for groups"):
        load("hf", tmp_path / "images", {"group": "nobody"})
