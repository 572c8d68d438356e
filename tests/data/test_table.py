"""Tables become numbers, and the changes are reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from superconv_tune.data.formats import load
from superconv_tune.data.parts import RawData
from tests.samples import CLASSES, flowers


def read(folder: Path, frame: pd.DataFrame, **args: object) -> RawData:
    frame.to_csv(folder / "t.csv", index=False)
    return load("table", folder / "t.csv", args)


def kinds(data: RawData) -> list[tuple[str, str, int]]:
    return [(column.name, column.kind, column.width) for column in data.columns]


def test_digits_as_csv_are_digits(tmp_path: Path) -> None:
    truth = load_digits(as_frame=True)
    data = read(tmp_path, truth.frame)
    np.testing.assert_array_equal(data.train.inputs, truth.data.to_numpy(np.float32))
    np.testing.assert_array_equal(data.train.targets, truth.target)
    assert data.class_names == tuple("0123456789")
    assert "label column 'target' (10 classes), columns: 64 numeric" in data.notes[0]
    assert data.warnings == ()


def test_numbers_words_and_a_label(tmp_path: Path) -> None:
    frame = flowers()
    data = read(tmp_path, frame)
    assert data.class_names == CLASSES
    assert kinds(data) == [("length", "numeric", 1), ("colour", "categorical", 2)]
    np.testing.assert_allclose(np.asarray(data.train.inputs)[:, 0], frame["length"], rtol=1e-6)
    words = np.asarray(data.train.inputs)[:, 1:]
    assert (words.sum(axis=1) == 1).all()
    assert len({tuple(word) for word in words[frame["colour"] == "red"].tolist()}) == 1


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ";"), ("tsv", "\t"), ("csv", "|"), ("csv.gz", ",")])
def test_separators_are_found(suffix: str, separator: str, tmp_path: Path) -> None:
    flowers().to_csv(tmp_path / f"t.{suffix}", index=False, sep=separator)
    again = load("table", tmp_path / f"t.{suffix}", {})
    np.testing.assert_array_equal(again.train.inputs, read(tmp_path, flowers()).train.inputs)


def test_parquet_is_as_csv(tmp_path: Path) -> None:
    flowers().to_parquet(tmp_path / "t.parquet")
    data = load("table", tmp_path / "t.parquet", {})
    np.testing.assert_array_equal(data.train.inputs, read(tmp_path, flowers()).train.inputs)


@pytest.mark.parametrize(("index", "columns"), [(None, ["length"]), ("colour", ["colour", "length"])])
def test_an_index_with_a_name_is_a_column(index: str | None, columns: list[str], tmp_path: Path) -> None:
    frame = flowers()
    kept = frame.set_index(index) if index else frame.drop(columns="colour").iloc[::-1]
    kept.to_parquet(tmp_path / "t.parquet")
    assert [column.name for column in load("table", tmp_path / "t.parquet", {}).columns] == columns


def test_missing_values_are_filled_and_reported(tmp_path: Path) -> None:
    frame = flowers()
    frame.loc[[3, 5], "length"] = np.nan
    frame.loc[7, "colour"] = None
    frame.loc[11, "label"] = None
    data = read(tmp_path, frame)
    inputs = np.asarray(data.train.inputs)
    median = frame["length"].drop(11).median()
    assert inputs[3].tolist() == pytest.approx([median, 1, *inputs[3, 2:]], rel=1e-6)
    assert inputs[4, 1] == 0
    assert inputs[7, 4] == 1  # the place behind both colours
    assert len(data.train) == 59
    told = " ".join(data.warnings)
    assert "1 line without a label left out" in told
    assert f"Column 'length': 2 missing values filled with {median:g}" in told
    assert "1 missing word became a word of their own" in told


def test_words_among_numbers_count_as_missing(tmp_path: Path) -> None:
    frame = flowers()
    frame["length"] = frame["length"].round(3).astype(str)
    frame.loc[[0, 9], "length"] = "?"
    data = read(tmp_path, frame)
    assert kinds(data)[0] == ("length", "numeric", 2)
    assert "2 words such as '?' among its numbers taken as missing" in data.warnings[0]


def test_what_numbers_lines_or_is_text_beside_others_is_left_out(tmp_path: Path) -> None:
    frame = flowers()
    frame.insert(0, "ID", np.arange(60))
    frame.insert(0, "Unnamed: 0", np.arange(60))
    frame.insert(0, "", np.arange(60))
    frame["remark"] = [f"remark number {row}" for row in range(60)]
    frame["nothing"] = None
    frame["sum"] = 1
    data = read(tmp_path, frame, ignore=["sum"])
    assert [column.name for column in data.columns] == ["length", "colour"]
    for told in (
        "'ID' left out: it numbers the lines",
        "'Unnamed: 0' left out: it numbers the lines",
        "'Unnamed: 0.1' left out: it numbers the lines",
        "'nothing' left out: it is empty",
        "'remark' left out: 60 diff",
    ):
        assert any(told in warning for warning in data.warnings)


@pytest.mark.parametrize("name", ["PassengerId", "customer_id", "ID", "userID", "RowNumber", "row number", "Index"])
def test_a_name_that_ends_in_an_id_numbers_the_lines_if_each_number_is_there_once(name: str, tmp_path: Path) -> None:
    frame = flowers().assign(**{name: np.arange(60)[::-1] * 7})
    assert f"Column {name!r} left out: it numbers the lines." in read(tmp_path, frame).warnings
    frame.loc[0, name] = frame.loc[1, name]
    assert name in [column.name for column in read(tmp_path, frame).columns]


@pytest.mark.parametrize("name", ["humid", "paid", "COVID", "Android", "idle", "indexed", "price_index", "grid"])
def test_other_words_that_end_alike_number_nothing(name: str, tmp_path: Path) -> None:
    data = read(tmp_path, flowers().assign(**{name: np.arange(60)[::-1] * 7}))
    assert name in [column.name for column in data.columns]


def test_each_part_may_number_its_lines_from_the_first(tmp_path: Path) -> None:
    for part in ("train", "test"):
        flowers(30).assign(id=range(30), line=range(5, 35)).to_csv(tmp_path / f"{part}.csv", index=False)
    assert [column.name for column in load("table", tmp_path, {}).columns] == ["length", "colour"]


def test_a_column_of_any_name_that_counts_the_lines_is_left_out_beside_others(tmp_path: Path) -> None:
    """In a file that is sorted by class it would tell the label."""
    frame = flowers().sort_values("label", ignore_index=True).assign(n=np.arange(100, 160))
    frame.loc[[7, 30], "label"] = None  # lines that are left out do not hide it
    data = read(tmp_path, frame)
    assert [column.name for column in data.columns] == ["length", "colour"]
    assert "Column 'n' left out: it counts the lines one by one." in data.warnings
    for other in (frame["n"] * 2, frame["n"].where(frame.index != 9), frame["n"][::-1].to_numpy()):
        assert "n" in [column.name for column in read(tmp_path, frame.assign(n=other)).columns]
    assert [column.name for column in read(tmp_path, frame[["n", "label"]].assign(id=range(60))).columns] == ["n"]


def test_what_only_the_test_part_lacks_gets_no_input(tmp_path: Path) -> None:
    """Its weight would stay what it was at random."""
    flowers().to_csv(tmp_path / "train.csv", index=False)
    test = flowers(30, 2)
    test.loc[0, "length"] = np.nan
    test.loc[[1, 2], "colour"] = ["violet", None]
    test.to_csv(tmp_path / "test.csv", index=False)
    data = load("table", tmp_path, {})
    assert kinds(data) == [("length", "numeric", 1), ("colour", "categorical", 2)]
    assert data.test is not None
    inputs = np.asarray(data.test.inputs)
    assert inputs[0, 0] == data.columns[0].fill
    assert inputs[[1, 2], 1:].tolist() == [[0, 0], [0, 0]]
    assert "1 missing word have no input" in " ".join(data.warnings)


def test_the_rarest_of_many_words_are_one(tmp_path: Path) -> None:
    frame = pd.concat([flowers(300)])
    frame["colour"] = [f"c{row % 55 if row >= 100 else row % 50}" for row in range(300)]
    data = read(tmp_path, frame)
    assert kinds(data)[1] == ("colour", "categorical", 51)
    assert "its 5 rarest words became one" in data.warnings[0]


def test_a_text_alone_becomes_its_bytes(tmp_path: Path) -> None:
    texts = [f"das ist schön und {word}" for word in ("gut", "schlecht")] * 30
    data = read(tmp_path, pd.DataFrame({"text": texts, "label": ["pos", "neg"] * 30}))
    assert [column.kind for column in data.columns] == ["text"]
    inputs = np.asarray(data.train.inputs)
    assert inputs.dtype == np.uint8
    assert bytes(inputs[0]).rstrip(b"\0").decode() == texts[0]
    assert bytes(inputs[1]).decode() == texts[1]


@pytest.mark.parametrize(
    ("name", "values"), [("id", range(60)), ("Unnamed: 0", range(9, 69)), ("nothing", [None] * 60)]
)
def test_a_text_beside_a_column_that_tells_nothing_is_alone(name: str, values: object, tmp_path: Path) -> None:
    texts = [f"this is what number {row} said" for row in range(60)]
    data = read(tmp_path, pd.DataFrame({name: values, "text": texts, "label": ["pos", "neg"] * 30}))
    assert [(column.name, column.kind) for column in data.columns] == [("text", "text")]
    assert f"Column {name!r} left out" in data.warnings[0]


def test_a_few_long_answers_are_words_beside_others_and_a_text_alone(tmp_path: Path) -> None:
    answers = ["Some college but no degree", "Doctorate degree (PhD or EdD)", "Less than 1st grade at school"]
    frame = flowers().assign(colour=answers * 20)
    assert kinds(read(tmp_path, frame))[1] == ("colour", "categorical", 3)
    assert [each.kind for each in read(tmp_path, frame.drop(columns="length")).columns] == ["text"]
    few = flowers(30).assign(colour=[f"what person {row} said" for row in range(30)])
    assert "'colour' left out: 30 different texts in 30 lines" in read(tmp_path, few).warnings[0]


def test_a_long_text_is_cut_and_reported(tmp_path: Path) -> None:
    texts = [f"{row} short text" for row in range(59)] + ["a very long text " * 100]
    data = read(tmp_path, pd.DataFrame({"text": texts, "label": ["a", "b"] * 30}))
    assert data.train.inputs.shape[1] == len("10 short text")
    assert "1 text longer than 13 bytes cut" in data.warnings[0]


@pytest.mark.parametrize(
    ("labels", "kind", "classes"),
    [
        (np.linspace(0, 1, 60), "regression", None),
        (np.arange(60) * 1000, "regression", None),  # more than 50 different whole numbers
        (np.arange(60) % 4, "classification", ("0", "1", "2", "3")),
        (np.arange(60) % 3 * 5.0 + 5, "classification", ("5", "10", "15")),
        (np.arange(60) % 2 == 0, "classification", ("False", "True")),
    ],
)
def test_labels_say_what_they_are(labels: object, kind: str, classes: tuple[str, ...] | None, tmp_path: Path) -> None:
    frame = flowers().drop(columns="label").assign(y=labels)
    data = read(tmp_path, frame)
    assert (data.kind, data.class_names) == (kind, classes)


def test_the_label_and_its_kind_can_be_said(tmp_path: Path) -> None:
    frame = flowers().rename(columns={"label": "animal"}).assign(age=np.arange(60) % 5)
    assert read(tmp_path, frame, label="animal").classes == 3
    numbers = read(tmp_path, frame, label="age", kind="regression")
    assert numbers.kind == "regression"
    assert numbers.train.targets.dtype == np.float32


def test_a_folder_of_parts_is_read_as_one(tmp_path: Path) -> None:
    for part, seed in (("train", 0), ("validation", 1), ("test", 2)):
        flowers(30, seed).to_csv(tmp_path / f"{part}.csv", index=False)
    data = load("table", tmp_path, {})
    assert data.validation is not None
    assert data.test is not None
    np.testing.assert_allclose(np.asarray(data.test.inputs)[:, 0], flowers(30, 2)["length"], rtol=1e-6)
    assert [len(part) for part in data.parts.values()] == [30, 30, 30]


def test_a_test_part_without_labels_is_left_out(tmp_path: Path) -> None:
    flowers().to_csv(tmp_path / "train.csv", index=False)
    flowers(30, 2).assign(label=None).to_csv(tmp_path / "test.csv", index=False)
    data = load("table", tmp_path, {})
    assert (len(data.train), data.test) == (60, None)
    assert "The test part left out: none of its lines has a label. Another one is split off." in data.warnings


def write(folder: Path, text: str) -> Path:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return folder / "t.csv"


def test_a_table_without_names_needs_its_label_only(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"{row % 7},{'MF'[row % 2]},{row / 8},{row % 3}\n" for row in range(60)))
    data = load("table", path, {"label": "last"})
    assert (data.classes, len(data.train)) == (3, 60)
    assert kinds(data) == [("c0", "numeric", 1), ("c1", "categorical", 2), ("c2", "numeric", 1)]
    assert "no line of names, columns c0 to c3" in data.notes[1]
    for label in (3, -1, "c3"):
        assert load("table", path, {"label": label}).columns == data.columns
    assert [each.name for each in load("table", path, {"label": "last", "ignore": [0, "c1"]}).columns] == ["c2"]


def test_words_that_stand_for_missing_values_can_be_said(tmp_path: Path) -> None:
    rows = [f"{-999 if row % 9 == 0 else row},{'None' if row % 6 == 0 else 'ab'[row % 2]}" for row in range(60)]
    path = write(tmp_path, "\n".join(["size,label", *rows]))
    assert load("table", path, {}).class_names == ("None", "a", "b")
    data = load("table", path, {"missing": ["None"]})
    assert data.class_names == ("a", "b")
    assert len(data.train) == 50


def test_missing_numbers_can_be_words_of_the_user(tmp_path: Path) -> None:
    rows = [f"{-999 if row % 9 == 0 else row},{'ab'[row % 2]}" for row in range(60)]
    data = load("table", write(tmp_path, "\n".join(["size,label", *rows])), {"missing": [-999]})
    assert kinds(data) == [("size", "numeric", 2)]
    assert "7 missing values" in data.warnings[0]


def test_words_with_blanks_around_them_are_one_word(tmp_path: Path) -> None:
    rows = [f"{row % 9},{('red', 'red ', 'blue')[row % 3]},{'ab'[row % 2]}" for row in range(60)]
    data = load("table", write(tmp_path, "\n".join(["size,colour,label", *rows])), {})
    assert kinds(data)[1] == ("colour", "categorical", 2)


def test_a_word_for_missing_is_a_word_among_words(tmp_path: Path) -> None:
    """In house prices, the alley of NA is none: it says more than that it is unknown."""
    rows = [f"{row % 9},{('NA', 'Grvl', 'Pave')[row % 3]},{'ab'[row % 2]}" for row in range(60)]
    data = load("table", write(tmp_path, "\n".join(["size,alley,label", *rows])), {})
    assert kinds(data)[1] == ("alley", "categorical", 3)
    assert data.warnings == ()


def test_numbers_in_another_spelling_are_numbers(tmp_path: Path) -> None:
    rows = [f"{row // 4},{row % 4};1.{row:03d};{'ab'[row % 2]}" for row in range(60)]
    data = load("table", write(tmp_path, "\n".join(["size;price;label", *rows])), {})
    inputs = np.asarray(data.train.inputs)
    assert inputs[5].tolist() == pytest.approx([1.1, 1005])
    assert "decimal commas" in data.notes[1]


@pytest.mark.parametrize("part", ["test", "validation"])
def test_parts_are_written_alike(part: str, tmp_path: Path) -> None:
    """The first file says whether there are names; a few lines alone might not."""
    rows = [f"{row / 7:.3f},{row % 9},{row % 2}\n" for row in range(60)]
    (tmp_path / "train.csv").write_text("".join(rows))
    (tmp_path / f"{part}.csv").write_text("".join(rows[:22]))
    (tmp_path / "._train.csv").write_bytes(b"\0")
    data = load("table", tmp_path, {"label": "last"})
    assert [len(each) for each in data.parts.values()] == [60, 22]


def test_many_whole_numbers_stay_exact_names(tmp_path: Path) -> None:
    frame = flowers().assign(label=np.arange(60) % 3 + 1_000_000)
    assert read(tmp_path, frame).class_names == ("1000000", "1000001", "1000002")


def test_a_column_of_empty_texts_is_empty(tmp_path: Path) -> None:
    flowers().assign(remark="").to_parquet(tmp_path / "t.parquet")
    data = load("table", tmp_path / "t.parquet", {})
    assert [column.name for column in data.columns] == ["length", "colour"]
    assert "Column 'remark' left out: it is empty." in data.warnings
