"""New items are read as the data of a training were."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import load
from superconv_tune.data.inputs import Inputs, inputs_of, typical
from superconv_tune.data.parts import RawData
from superconv_tune.data.reading import Reading
from tests.samples import idx_folder, npz_file, photos


def again(given: object, data: RawData) -> Inputs:
    """The items, read by what is left of a reading after it was stored as JSON."""
    reading: Reading = decode(Reading, encode(data.reading))
    assert reading == data.reading
    return inputs_of(given, reading, data.train.inputs.shape[1:], data.train.inputs.dtype)


def mixed() -> pd.DataFrame:
    """Numbers with gaps, numbers as text with commas, codes, times, booleans and a label."""
    rng = np.random.default_rng(0)
    lines = 60
    return pd.DataFrame(
        {
            "size": np.where(rng.random(lines) < 0.1, np.nan, rng.normal(5, 2, lines).round(3)),
            "price": [f"{value:.2f}".replace(".", ",") for value in rng.uniform(1, 9, lines)],
            "code": rng.choice(["1", "2", "x", ""], lines),
            "colour": rng.choice(["red", "blue", "green"], lines),
            "is_new": rng.random(lines) < 0.5,
            "label": rng.choice(["cat", "dog"], lines),
        }
    )


def test_a_table_is_read_again_as_it_was(tmp_path: Path) -> None:
    mixed().to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    data = load("table", tmp_path / "t.csv", {})
    found = again(tmp_path / "t.csv", data)
    np.testing.assert_array_equal(found.values, data.train.inputs)
    assert found.values.dtype == np.float32
    assert found.items[:2] == ("0", "1")


@pytest.mark.parametrize("lines", [[0], [3], list(range(10, 14)), list(range(60))])
def test_a_few_lines_are_read_as_among_all(lines: list[int], tmp_path: Path) -> None:
    """One line alone may look otherwise: its code is a number, and its price a grouped one."""
    frame = mixed()
    frame.to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    data = load("table", tmp_path / "t.csv", {})
    part = frame.iloc[lines].drop(columns="label")
    part.to_csv(tmp_path / "part.csv", index=False, sep=";", decimal=",")
    np.testing.assert_array_equal(again(tmp_path / "part.csv", data).values, data.train.inputs[lines])
    np.testing.assert_array_equal(again(part, data).values, data.train.inputs[lines])


def test_times_are_days_since_the_same_one(tmp_path: Path) -> None:
    frame = mixed().assign(day=pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(60), unit="D"))
    frame.to_parquet(tmp_path / "t.parquet")
    data = load("table", tmp_path / "t.parquet", {})
    np.testing.assert_array_equal(again(frame.iloc[40:].reset_index(drop=True), data).values, data.train.inputs[40:])


@pytest.mark.parametrize("zones", [("UTC", None), (None, "Europe/Berlin")])
def test_times_may_have_a_zone_in_one_table_only(zones: tuple[str | None, str | None], tmp_path: Path) -> None:
    days = pd.Series(pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(60), unit="D"))
    was, now = (days.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else days for zone in zones)
    mixed().assign(day=was).to_parquet(tmp_path / "t.parquet")
    data = load("table", tmp_path / "t.parquet", {})
    np.testing.assert_array_equal(again(mixed().assign(day=now), data).values, data.train.inputs)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_dates_that_are_written_are_times(suffix: str, tmp_path: Path) -> None:
    days = pd.Series(pd.date_range("2024-03-01", periods=60)).dt.date.where(np.arange(60) != 7)
    frame = mixed()[["size", "label"]].assign(day=days)
    path = tmp_path / f"t.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    data = load("table", path, {})
    assert [(column.name, column.width) for column in data.columns] == [("size", 2), ("day", 2)]
    inputs = np.asarray(data.train.inputs)
    assert inputs[[0, 7, 59], 2:].tolist() == [[0, 0], [30, 1], [59, 0]]
    new = frame.assign(day=["2024-05-01T12:00:00+00:00", *map(str, frame["day"][1:])])
    assert again(new, data).values[[0, 59], 2].tolist() == [61.5, 59]
    assert again(typical(data.reading, (4,), np.dtype(np.float32)), data).values[0, 2:].tolist() == [0, 0]


def test_what_only_begins_as_a_date_is_words(tmp_path: Path) -> None:
    frame = mixed()[["size", "label"]].assign(code=["2024-03-01 (old)", "2024-99-01"] * 30)
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert load("table", tmp_path / "t.csv", {}).columns[1].kind == "categorical"


def test_what_training_did_not_know_is_the_median_or_no_word(tmp_path: Path) -> None:
    frame = mixed().drop(columns="size").assign(size=np.arange(60.0) / 2)
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = load("table", tmp_path / "t.csv", {})
    strange = frame.iloc[:2].assign(colour=["violet", None], size=[np.nan, np.nan])
    found = again(strange, data).values
    colour = [place for place, column in enumerate(data.columns) if column.name == "colour"]
    start = sum(column.width for column in data.columns[: colour[0]])
    width = data.columns[colour[0]].width
    assert not found[:, start : start + width].any()
    assert found[:, -1].tolist() == [np.median(np.arange(60.0) / 2)] * 2


def test_words_that_training_did_not_know_share_the_input_of_missing_ones(tmp_path: Path) -> None:
    frame = mixed()[["size", "colour", "label"]]
    frame.loc[0, "colour"] = None
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = load("table", tmp_path / "t.csv", {})
    strange = frame.iloc[:2].assign(colour=["violet", None])
    assert again(strange, data).values[:, 2:].tolist() == [[0, 0, 0, 1]] * 2


def test_words_where_numbers_belong_are_refused(tmp_path: Path) -> None:
    frame = mixed().assign(height=np.arange(60) / 8).astype({"height": "string"})
    frame.loc[3, "height"] = "unknown"  # which training took as missing
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = load("table", tmp_path / "t.csv", {})
    with pytest.raises(UserError, match=r"column 'height' holds numbers, but none of these is one: 'tall'\. Write"):
        again(frame.iloc[:2].assign(height=["tall", "small"]), data)
    for fine in (["unknown", None], ["NA", "unknown"], ["tall", "1.5"]):
        assert np.isfinite(again(frame.iloc[:2].assign(height=fine), data).values).all()


def test_words_that_stand_for_missing_values_do_so_again(tmp_path: Path) -> None:
    frame = mixed().assign(size=lambda each: each["size"].fillna(-999))
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = load("table", tmp_path / "t.csv", {"missing": ["-999", "red"]})
    np.testing.assert_array_equal(again(frame, data).values, data.train.inputs)


def test_one_text_is_read_again_with_and_without_its_label(tmp_path: Path) -> None:
    words = [f"a rather long text about {number} ants, and more" for number in range(60)]
    frame = pd.DataFrame({"text": words, "label": ["a", "b"] * 30})
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    data = load("table", tmp_path / "t.tsv", {})
    frame[["text"]].to_csv(tmp_path / "only.csv", index=False)
    for given in (tmp_path / "t.tsv", tmp_path / "only.csv", frame):
        found = again(given, data)
        np.testing.assert_array_equal(found.values, data.train.inputs)
        assert found.values.dtype == np.uint8


@pytest.mark.parametrize("label", ["0", "last"])
def test_columns_without_names_keep_their_places_if_the_label_is_missing(label: str, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(60, 3)).round(3)
    place = 0 if label == "0" else 3
    whole = np.insert(numbers, place, np.arange(60) % 2, axis=1)
    np.savetxt(tmp_path / "t.data", whole, delimiter=",", fmt="%g")
    np.savetxt(tmp_path / "new.data", numbers, delimiter=",", fmt="%g")
    data = load("table", tmp_path / "t.data", {"label": label, "header": False})
    for name in ("t.data", "new.data"):
        np.testing.assert_array_equal(again(tmp_path / name, data).values, data.train.inputs)


def test_json_lines_are_read_again(tmp_path: Path) -> None:
    frame = mixed()
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    data = load("jsonl", tmp_path / "t.jsonl", {})
    np.testing.assert_array_equal(again(tmp_path / "t.jsonl", data).values, data.train.inputs)


def test_missing_columns_and_wrong_values_are_all_named(tmp_path: Path) -> None:
    frame = mixed().assign(other=1.5)
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = load("table", tmp_path / "t.csv", {})
    with pytest.raises(UserError, match=r"no column size, price.*It has: code"):
        again(frame.drop(columns=["size", "price"]), data)
    with pytest.raises(UserError) as caught:
        again(frame.assign(size=np.inf, other=-np.inf), data)
    assert [message.split("'")[1] for message in caught.value.messages] == ["size", "other"]


def test_images_are_read_again_from_a_folder_and_from_files(tmp_path: Path) -> None:
    folder = photos(tmp_path)
    data = load("image_folder", folder, {})
    found = again(folder, data)
    names = list(data.names["train"])
    order = [names.index(name) for name in found.items]
    assert sorted(order) == list(range(len(names)))
    np.testing.assert_array_equal(found.values, np.asarray(data.train.inputs)[order])
    files = [folder / name for name in names[:3]]
    np.testing.assert_array_equal(again(files, data).values, np.asarray(data.train.inputs)[:3])
    np.testing.assert_array_equal(again(files[0], data).values, np.asarray(data.train.inputs)[:1])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_printable(tmp_path: Path) -> None:
    folder = photos(tmp_path)
    data = load("image_folder", folder, {})
    strange = (folder / "ant" / "0.png").rename(folder / "ant" / os.fsdecode(b"caf\xe9.png"))
    assert [each.items[0] for each in (again(folder / "ant", data), again([strange], data))] == [
        "1.png",
        f"{folder}/ant/caf\\xe9.png",
    ]


def test_a_file_that_is_no_image_is_left_out_of_a_folder_and_refused_by_name(tmp_path: Path) -> None:
    data = load("image_folder", photos(tmp_path), {})
    new = tmp_path / "new"
    new.mkdir()
    Image.new("RGB", (9, 7), "red").save(new / "a.png")
    (new / "notes.txt").write_text("hello", encoding="utf-8")
    found = again(new, data)
    assert (found.items, dict(found.left_out)) == (("a.png",), {"notes.txt": "not an image"})
    with pytest.raises(UserError, match=r"notes.txt is not an image"):
        again([new / "a.png", new / "notes.txt"], data)
    for given in (tmp_path / "nwe", [new / "a.png", tmp_path / "nwe"]):
        with pytest.raises(UserError, match=r"predict: there is no file or folder .*nwe\.$"):
            again(given, data)
    (new / "a.png").unlink()
    with pytest.raises(UserError, match="no image that can be read"):
        again(new, data)


def test_pixels_of_more_bits_become_the_same_black_and_white(tmp_path: Path) -> None:
    """A single dark image among new ones: its own brightest pixel is not white."""
    for label, most in (("dim", 300), ("bright", 4000)):
        (tmp_path / "deep" / label).mkdir(parents=True)
        for number in range(12):
            values = np.random.default_rng(number).integers(0, most, (16, 16)).astype(np.uint16)
            Image.fromarray(values).save(tmp_path / "deep" / label / f"{number}.png")
    data = load("image_folder", tmp_path / "deep", {})
    place = list(data.names["train"]).index("dim/3.png")
    found = again([tmp_path / "deep" / "dim" / "3.png"], data)
    np.testing.assert_array_equal(found.values[0], np.asarray(data.train.inputs)[place])


def test_arrays_are_taken_as_in_the_file_and_as_the_model_takes_them(tmp_path: Path) -> None:
    data = load("npz", npz_file(tmp_path), {})
    inputs = np.asarray(data.train.inputs)
    for given in (npz_file(tmp_path), inputs, torch.from_numpy(inputs)):
        np.testing.assert_array_equal(again(given, data).values, inputs)
    colours = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3)).astype(np.uint8)
    np.savez(tmp_path / "colour.npz", x=colours, y=np.arange(40) % 2)
    data = load("npz", tmp_path / "colour.npz", {"channels": "last"})
    np.testing.assert_array_equal(again(colours, data).values, data.train.inputs)
    np.save(tmp_path / "only.npy", colours)
    np.testing.assert_array_equal(again(tmp_path / "only.npy", data).values, data.train.inputs)


def test_images_of_idx_are_read_again(tmp_path: Path) -> None:
    folder = idx_folder(tmp_path)
    data = load("idx", folder, {})
    (file,) = folder.glob("train-images*")
    np.testing.assert_array_equal(again(file, data).values, data.train.inputs)
    packed = tmp_path / f"{file.name}.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    if not file.name.endswith(".gz"):
        np.testing.assert_array_equal(again(packed, data).values, data.train.inputs)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.full((2, 8, 8), 0.5), "whole numbers from 0 to 255"),
        (np.full((2, 1, 8, 8), 256), "whole numbers from 0 to 255"),
        (np.zeros((2, 9, 8)), r"the shape \[2, 9, 8\], but the model takes \['n', 1, 8, 8\]"),
        (np.full((2, 8, 8), np.nan), "NaN or infinite"),
        (np.full((2, 8, 8), "a"), "have to be numbers"),
        ("nowhere.npy", "no file nowhere.npy"),
    ],
)
def test_arrays_that_the_model_does_not_know_are_refused(given: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        again(given, load("digits", None, {}))


def test_times_in_a_spelling_that_is_not_read_are_refused(tmp_path: Path) -> None:
    days = pd.Series(pd.date_range("2024-03-01", periods=60))
    mixed().assign(day=days).to_parquet(tmp_path / "t.parquet")
    data = load("table", tmp_path / "t.parquet", {})
    with pytest.raises(UserError, match=r"column 'day' holds times, but none of these .*'03/01/2024'"):
        again(mixed().assign(day=days.dt.strftime("%m/%d/%Y")), data)
    gaps = mixed().assign(day=["NA", *days.astype("string")[1:]])
    assert np.isfinite(again(gaps, data).values).all()
