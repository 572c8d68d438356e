"""Faults of data files are reported in plain words, or left out and counted; no partial cache entry stays behind."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from superconv_tune.core.errors import UserError
from superconv_tune.data import cache
from superconv_tune.problems.payload import DataCard
from superconv_tune.problems.prepare import prepare
from superconv_tune.spec.load import load_spec
from tests.samples import csv_file, flowers, hf_folder, idx_folder, npy_folder, npz_file, photos, picture

Make = Callable[[Path], Path]
GRID = np.random.default_rng(0).normal(size=(60, 4))
LABELS = np.arange(60) % 3


def changed(make: Make, change: Callable[[Path], object]) -> Make:
    """A good data set, and what is then done to it."""

    def both(folder: Path) -> Path:
        path = make(folder)
        change(path)
        return path

    return both


def in_photos(change: Callable[[Path], object]) -> Make:
    return changed(lambda folder: photos(folder / "photos"), change)


def each(pattern: str, change: Callable[[Path], object]) -> Make:
    """Photos, and what is then done to every file of a pattern."""

    def all_of(folder: Path) -> None:
        for file in sorted(folder.glob(pattern)):
            change(file)

    return in_photos(all_of)


def every_image(content: bytes) -> Make:
    return each("*/*.png", lambda file: file.write_bytes(content))


def in_parts(**parts: Callable[[Path], object]) -> Make:
    """Folders of parts below one folder."""

    def make(folder: Path) -> Path:
        for name, fill in parts.items():
            fill(folder / "photos" / name)
        return folder / "photos"

    return make


def archive(**arrays: Any) -> Make:
    def make(folder: Path) -> Path:
        np.savez(folder / "d.npz", **arrays)
        return folder / "d.npz"

    return make


def text_file(name: str, content: str | bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder / name

    return make


def frame(change: Callable[[pd.DataFrame], pd.DataFrame], name: str = "t.csv") -> Make:
    def make(folder: Path) -> Path:
        made = change(flowers())
        made.to_parquet(folder / name) if name.endswith("parquet") else made.to_csv(folder / name, index=False)
        return folder / name

    return make


def frames(**parts: pd.DataFrame) -> Make:
    def make(folder: Path) -> Path:
        (folder / "tables").mkdir()
        for name, made in parts.items():
            made.to_csv(folder / "tables" / f"{name}.csv", index=False)
        return folder / "tables"

    return make


def cut(path: Path, by: int = 40) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def with_value(value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda made: made.assign(length=[value, *made["length"][1:]])


def png(width: int, height: int) -> bytes:
    """A PNG file that says that it has a size, and has no pixels."""
    chunks = {b"IHDR": struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0), b"IDAT": b"", b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


def twins(folder: Path, names: list[str]) -> None:
    for name in names:
        shutil.copytree(folder / "train", folder / name)


def nested(folder: Path) -> Path:
    photos(folder / "photos" / "photos")
    return folder / "photos"


def lone_class(folder: Path) -> Path:
    shutil.rmtree(photos(folder / "photos") / "ant")
    shutil.rmtree(folder / "photos" / "bee")
    return folder / "photos"


def loose(folder: Path) -> Path:
    (folder / "photos").mkdir()
    for index in range(30):
        picture(0, index).save(folder / "photos" / f"{index}.png")
    return folder / "photos"


def saved_parts(**names: str) -> Make:
    """A DatasetDict on disk whose parts have other names."""

    def make(folder: Path) -> Path:
        path = hf_folder(folder)
        (folder / "dict").mkdir()
        for name in names.values():
            shutil.copytree(path, folder / "dict" / name)
        (folder / "dict" / "dataset_dict.json").write_text(json.dumps({"splits": list(names.values())}))
        return folder / "dict"

    return make


def table_of(*lines: str) -> Make:
    """A table of 60 lines or more, the last one of those given over and over."""
    return text_file("t.csv", "\n".join([*lines, *[lines[-1]] * 60]))


def rows(names: str, *patterns: str, count: int = 60, encoding: str = "utf-8") -> Make:
    """A table whose lines follow the patterns in turn; @ becomes the number of the line."""
    lines = [patterns[row % len(patterns)].replace("@", str(row)) for row in range(count)]
    return text_file("t.csv", "\n".join([names, *lines] if names else lines).encode(encoding))


def every_array(**changes: Any) -> Make:
    return archive(**{"x": GRID, "y": LABELS} | changes)


def linked(name: str, target: Callable[[Path], Path | str]) -> Make:
    """Photos with a link in them."""
    return in_photos(lambda folder: (folder / name).symlink_to(target(folder)))


def hidden(folder: Path) -> None:
    for file in sorted(folder.glob("*/*.png")):
        file.rename(file.with_name(f".{file.name}"))


def deep(folder: Path) -> None:
    Image.fromarray(np.full((24, 20), 4000, np.uint16)).save(folder / "ant" / "deep.png")


def moving(folder: Path) -> None:
    picture(0, 0).save(folder / "ant" / "m.gif", save_all=True, append_images=[picture(0, 1)])


def folder_called_csv(folder: Path) -> Path:
    (folder / "t.csv").mkdir()
    return folder / "t.csv"


def to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing.csv")


def names_beside_images(folder: Path) -> Path:
    made = folder / "made"
    (made / "images").mkdir(parents=True)
    picture(0, 0).save(made / "images" / "0.png")
    return rows("filename,label", "@.png,x", "@.png,y")(made).parent


HUGE = png(60_000, 60_000)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"

REFUSED: dict[str, tuple[Make, dict[str, object], tuple[str, ...]]] = {
    "no such folder": (lambda folder: folder / "fotos", {}, ("no file or folder", "fotos", "spec.json")),
    "an empty folder": (in_parts(), {}, ("no file or folder", "photos")),
    "a folder of texts": (text_file("notes.md", "x"), {}, ("is not clear", "'.md'", "image_folder")),
    "one class": (lone_class, {}, ("one class folder only: cat", "At least two classes")),
    "a folder too high": (nested, {}, ("one class folder only: photos", "ant, bee, cat")),
    "images without class": (loose, {}, ("no folders", "one folder of images per class")),
    "an empty class": (in_photos(lambda folder: (folder / "dog").mkdir()), {}, ("1 class folder is empty", "dog")),
    "three images": (lambda folder: photos(folder / "photos", 1), {}, ("3 examples are too few", "20")),
    "a rare class": (
        each("ant/*[1-9].png", Path.unlink),
        {},
        ("ant", "2 examples", "too few"),
    ),
    "empty files": (every_image(b""), {}, ("none of 60", "60 empty")),
    "no images": (every_image(b"GIF87b not quite"), {}, ("none of 60", "60 not an image")),
    "images that are cut off": (
        each("*/*.png", lambda file: cut(file, 600)),
        {},
        ("none of 60", "60 damaged"),
    ),
    "huge images": (every_image(HUGE), {}, ("none of 60", "60 more than", "million pixels")),
    "a class that is broken": (
        each("bee/*", lambda file: cut(file, 600)),
        {},
        ("no image of class bee",),
    ),
    "a stray folder": (
        in_parts(train=photos, extra=photos),
        {},
        ("train", "extra", "Keep train", "a class called train needs another name"),
    ),
    "two validation parts": (in_parts(train=photos, val=photos, valid=photos), {}, ("two for validation",)),
    "a train folder without classes": (
        in_parts(test=photos, train=lambda folder: folder.mkdir()),
        {},
        ("train has no folders",),
    ),
    "a class in the test part only": (
        changed(
            in_parts(train=photos, test=photos),
            lambda folder: (folder / "test" / "ant").rename(folder / "test" / "owl"),
        ),
        {},
        ("the test part has classes", "owl"),
    ),
    "a size that is no number": (in_photos(bool), {"size": "big"}, ("size of image_folder", "whole number", "'big'")),
    "channels that are unknown": (in_photos(bool), {"channels": "blue"}, ("auto, grey, colour", "'blue'")),
    "an archive that is none": (text_file("d.npz", "PK\3\4 no"), {}, ("not a readable .npz",)),
    "an archive that is a pickle": (text_file("d.npz", pickle.dumps([1])), {}, ("not a readable .npz",)),
    "an archive that is cut off": (changed(npz_file, cut), {}, ("not a readable .npz",)),
    "an archive of objects": (archive(x=GRID.astype(object), y=LABELS), {}, ("not a readable .npz",)),
    "no labels": (archive(x=GRID), {}, ("has no y_train",)),
    "labels missing": (archive(x=GRID, y=LABELS[:50]), {}, ("60 inputs, but 50 targets",)),
    "not a number": (archive(x=np.where(GRID > 2, np.nan, GRID), y=LABELS), {}, ("NaN or infinite", "index")),
    "infinite": (archive(x=np.where(GRID > 2, np.inf, GRID), y=LABELS), {}, ("NaN or infinite", "index")),
    "one label": (archive(x=GRID, y=0 * LABELS), {}, ("all targets are the same",)),
    "three rows": (archive(x=GRID[:3], y=LABELS[:3]), {}, ("3 examples are too few",)),
    "no y.npy": (changed(npy_folder, lambda folder: (folder / "y.npy").unlink()), {}, ("has no y_train",)),
    "an npy that is cut off": (
        changed(npy_folder, lambda folder: cut(folder / "x.npy")),
        {},
        ("x.npy", "not a readable"),
    ),
    "an npy that is a pickle": (
        changed(npy_folder, lambda folder: np.save(folder / "x.npy", GRID.astype(object), allow_pickle=True)),
        {},
        ("x.npy", "not a readable .npy"),
    ),
    "an npy that is empty": (
        changed(npy_folder, lambda folder: (folder / "y.npy").write_bytes(b"")),
        {},
        ("y.npy", "not a readable .npy"),
    ),
    "idx that is cut off": (
        changed(idx_folder, lambda folder: cut(folder / "train-images-idx3-ubyte")),
        {},
        ("cut off or damaged", "train-images"),
    ),
    "idx without labels": (
        changed(idx_folder, lambda folder: (folder / "train-labels-idx1-ubyte").unlink()),
        {},
        ("has no file train-labels",),
    ),
    "idx with broken gzip": (
        changed(idx_folder, lambda f: (f / "train-images-idx3-ubyte").write_bytes(gzip.compress(b"x" * 99)[:-9])),
        {},
        ("train-images", "cannot be read"),
    ),
    "idx that is a picture": (
        changed(idx_folder, lambda folder: picture(0, 0).save(folder / "train-images-idx3-ubyte", "png")),
        {},
        ("is not an idx file",),
    ),
    "an empty table": (text_file("t.csv", ""), {}, ("not a readable table", "No columns")),
    "a table of names": (text_file("t.csv", "a,b,label\n"), {}, ("label", "empty")),
    "blanks between columns": (text_file("t.csv", "a b label\n1 2 x\n"), {}, ("one column only", "semicolon")),
    "lines of many lengths": (text_file("t.csv", "a,label\n1,x\n1,2,3,x\n"), {}, ("not a readable table", "line 3")),
    "lines that are too long": (text_file("t.csv", "a,label\n1,2,x\n1,2,x\n"), {}, ("more fields", "names")),
    "a picture as table": (text_file("t.csv", png(9, 9) + bytes(range(256))), {}, ("t.csv",)),
    "a gzip that is none": (text_file("t.csv.gz", "a,label\n1,x\n"), {}, ("not a readable table",)),
    "two columns of one name": (text_file("t.csv", "a,a,label\n1,2,x\n"), {}, ("more than one column called a",)),
    "no line of names": (
        frame(lambda made: made.assign(label=LABELS, colour=1).set_axis(["0.1", "3", "2"], axis=1)),
        {},
        ("no line of names", "There are 3: c0 (", "--label last (here c2: "),
    ),
    "no label column": (frame(lambda made: made.drop(columns="label")), {}, ("length, colour", "args: {label: …}")),
    "two label columns": (frame(lambda made: made.assign(y=1)), {}, ("2 columns called label",)),
    "a label that is misspelt": (csv_file, {"label": "lable"}, ("no column 'lable'", "length, colour, label")),
    "an ignored column that is not there": (csv_file, {"ignore": ["size"]}, ("ignore names size", "length")),
    "an ignored column that is no list": (csv_file, {"ignore": "size"}, ("ignore of table is a list of names",)),
    "a table of one class": (frame(lambda made: made.assign(label="ant")), {}, ("all targets are the same",)),
    "a table of three lines": (frame(lambda made: made.assign(label=LABELS)[:3]), {}, ("in 3 lines",)),
    "a label per line": (
        frame(lambda made: made.assign(label=[f"n{row}" for row in range(60)])),
        {},
        ("60 different values in 60 lines", "Is it the label?"),
    ),
    "labels that are all missing": (frame(lambda made: made.assign(label=None)), {}, ("label column 'label'", "empty")),
    "nothing but a label": (
        frame(lambda made: made[["label"]].assign(id=range(60))),
        {},
        ("no column to learn from", "'id' left out"),
    ),
    "names of images beside a label": (
        rows("filename,label", "img/@.JPG,x", "img/@.png,y"),
        {},
        ("column 'filename' holds names of images", "folders, one for each class", "task: {factory:"),
    ),
    "a few names of images beside a label": (
        rows("id,file,label", "@,a.png,x", "@,b.png,y"),
        {},
        ("column 'file' holds names of images",),
    ),
    "a table of names beside a folder of images": (
        names_beside_images,
        {},
        ("column 'filename' holds names of images",),
    ),
    "words to predict": (csv_file, {"kind": "regression"}, ("are not numbers: ant, bee, cat",)),
    "an infinite field": (frame(with_value(np.inf)), {}, ("'length' has 1 infinite", "index 0")),
    "a field beyond float32": (frame(with_value(1e300)), {}, ("NaN or infinite as float32", "index 0")),
    "an infinite label": (
        frame(lambda made: made.assign(label=[np.inf, *GRID[1:, 0]])),
        {},
        ("targets", "NaN or infinite"),
    ),
    "lists in fields": (
        frame(lambda made: made.assign(length=[[1, 2]] * 60), "t.parquet"),
        {},
        ("'length' holds lists", "args.ignore"),
    ),
    "a parquet that is none": (text_file("t.parquet", "a,label\n1,x\n"), {}, ("not a readable table", "t.parquet")),
    "a parquet that is cut off": (
        changed(frame(lambda made: made, "t.parquet"), cut),
        {},
        ("not a readable table", "t.parquet"),
    ),
    "tables of no part": (frames(one=flowers(), two=flowers()), {}, ("one.csv, two.csv", "train.csv")),
    "a test table with other columns": (
        frames(train=flowers(), test=flowers().drop(columns="colour")),
        {},
        ("test part", "colour"),
    ),
    "a test table with another class": (
        frames(train=flowers(), test=flowers().replace("cat", "owl")),
        {},
        ("owl", "training part does not have"),
    ),
    "saved parts of other names": (saved_parts(a="train", b="extra"), {}, ("train, extra", "Save train")),
    "a saved data set that is damaged": (
        changed(hf_folder, lambda folder: next(folder.glob("*.arrow")).write_bytes(b"x")),
        {},
        ("save_to_disk",),
    ),
    # tables: how they are written
    "a table without names": (
        rows("", "@,1.5,x", "@,2.5,y"),
        {},
        ("no line of names", "--label last (here c2: x, y, x"),
    ),
    "a label number beyond the last": (csv_file, {"label": 3}, ("no column '3'", "length, colour, label")),
    "a label number before the first": (csv_file, {"label": -4}, ("no column '-4'",)),
    "a label that YAML reads as true": (csv_file, {"label": True}, ("label of table is a name", "in quotes")),
    "an ignored column that YAML reads as false": (csv_file, {"ignore": [False]}, ("a list of names", "in quotes")),
    "an ignored number beyond the last": (csv_file, {"ignore": [9]}, ("ignore names 9", "length")),
    "a header that is a word": (csv_file, {"header": "maybe"}, ("one of auto, true, false", "'maybe'")),
    "a decimal mark that is none": (csv_file, {"decimal": ";"}, ("one of auto, ., ,", "';'")),
    "a separator of two characters": (csv_file, {"separator": "::"}, ("separator of table is one character", "'::'")),
    "an encoding that nobody knows": (csv_file, {"encoding": "kio8"}, ("unknown encoding: kio8", "utf-16")),
    "an encoding that is wrong": (
        rows("größe,label", "@,x", encoding="latin-1"),
        {"encoding": "utf-8"},
        ("not a readable table", "can't decode"),
    ),
    "missing words that are no list": (csv_file, {"missing": "NA"}, ("missing of table is a list of names",)),
    "missing words that are all labels": (csv_file, {"missing": ["ant", "bee", "cat"]}, ("'label'", "is empty")),
    "an option of another format": (csv_file, {"size": 32}, ("no option 'size'", "separator")),
    "zero bytes in a text": (text_file("t.csv", b"a,label\n1,x\0\n2,y\n"), {}, ("zero bytes, so it is not text",)),
    "a quote that does not end": (text_file("t.csv", 'a,label\n"1,x\n2,y\n'), {}, ("not a readable table", "EOF")),
    "a separator after each line": (  # dotnet/machinelearning#3917: in the lines, but not after the names
        table_of("a\tlabel", "1\tx\t"),
        {},
        ("line 2 has 3 fields", "more fields"),
    ),
    "names of rows without a name": (table_of("a,label", "1,5,x"), {}, ("line 2 has 3 fields",)),  # R's write.table
    "a workbook called csv": (text_file("t.csv", b"PK\3\4\x14\0\6\0\x08\0\0\0!\0"), {}, ("zero bytes",)),
    "a web page called csv": (text_file("t.csv", "<!DOCTYPE html>\n<html><p>a, b</p></html>\n"), {}, ("t.csv",)),
    "JSON called csv": (text_file("t.csv", '[{"a": 1, "label": "x"},\n {"a": 2, "label": "y"}]'), {}, ("t.csv",)),
    "a file that Git did not fetch": (text_file("t.csv", LFS), {}, ("one column only", "version https://git-lfs")),
    "a folder called csv": (folder_called_csv, {}, ("is not clear",)),
    "a link to no table": (changed(csv_file, to_nothing), {}, ("no file or folder", "flowers.csv")),
    "two names that differ in blanks": (table_of("a,a ,label", "1,2,x"), {}, ("more than one column called a",)),
    "two names that differ in a line break": (
        table_of('"a\nb",a b,label', "1,2,x"),
        {},
        ("more than one column called a b",),
    ),
    "labels of two spellings": (rows("Label,label,size", "x,y,N"), {}, ("2 columns called label",)),
    "labels of blanks": (rows("size,label", "@, "), {}, ("'label'", "is empty")),
    "a test table without names": (
        changed(
            frames(train=flowers()),
            lambda folder: flowers().to_csv(folder / "test.csv", index=False, header=False),
        ),
        {},
        ("the test part", "does not have the columns", "colour"),
    ),
    "some numbers to predict that are words": (
        rows("size,label", "@,1.5", "@,2.5", "@,n.n."),
        {"kind": "regression"},
        ("not numbers: n.n.",),
    ),
    "a table of numbers without an end": (rows("size,label", "1e400,x", "@,y"), {}, ("infinite",)),
    "a parquet without lines": (frame(lambda made: made[:0], "t.parquet"), {}, ("'label'", "is empty")),
    "a parquet of lists as labels": (
        frame(lambda made: made.assign(label=[[1]] * 60), "t.parquet"),
        {},
        ("label",),
    ),
    "JSON lines without a label": (text_file("t.jsonl", '{"a": 1, "b": 2}\n' * 30), {}, ("no columns called label",)),
    "JSON lines that are one list": (text_file("t.jsonl", '[{"a": 1, "label": 2}]'), {}, ("line 1 is no object",)),
    "JSON lines that are cut off": (text_file("t.jsonl", '{"a": 1, "label": "x"}\n{"a": 1, "la'), {}, ("line 2",)),
    "JSON lines in a broken gzip": (text_file("t.jsonl.gz", b"\x1f\x8b\x08no"), {}, ("no readable text",)),
    # images
    "a class of hidden images": (in_photos(hidden), {}, ("is not clear", "There is: ant, bee, cat")),
    "a class that is a loop": (linked("dog", lambda folder: folder), {}, ("1 class folder is empty", "dog")),
    "pictures that Git did not fetch": (every_image(LFS), {}, ("none of 60", "60 not an image")),
    "pictures of a phone that Pillow cannot read": (
        every_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        {},
        ("none of 60", "not an image"),
    ),
    "drawings": (every_image(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), {}, ("none of 60", "60 not an image")),
    "documents": (every_image(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), {}, ("none of 60", "60 not an image")),
    "programs for a printer": (every_image(b"%!PS-Adobe-3.0 EPSF-3.0\n"), {}, ("none of 60", "60 not an image")),
    "a size below zero": (in_photos(bool), {"size": -8}, ("size of image_folder", "0 or more", "-8")),
    "a size that is a half": (in_photos(bool), {"size": 0.5}, ("size of image_folder", "whole number")),
    "a size that no disk holds": (in_photos(bool), {"size": 10_000_000}, ("the decoded data take", "smaller size")),
    # arrays
    "labels of two columns": (every_array(y=np.stack([LABELS, LABELS], 1)), {}, ("have the shape (60, 2)",)),
    "labels that are fractions": (
        every_array(y=LABELS / 2),
        {"kind": "classification"},
        ("not whole numbers",),
    ),
    "complex inputs": (every_array(x=GRID + 1j), {}, ("inputs", "complex128", "have to be numbers")),
    "inputs that are words": (every_array(x=GRID.astype(str)), {}, ("inputs", "have to be numbers")),
    "inputs without an axis for values": (every_array(x=GRID[:, 0]), {}, ("Give a row per item",)),
    "inputs without values": (every_array(x=GRID[:, :0]), {}, ("is empty",)),
    "a test part without labels": (every_array(x_test=GRID), {}, ("has no y_test",)),
    "a test part of another shape": (every_array(x_test=GRID[:, :3], y_test=LABELS), {}, ("of the test part",)),
    "a class of the test part only": (
        every_array(x_test=GRID, y_test=LABELS + 5),
        {},
        ("the test part has the classes [5",),
    ),
    "a kind that is unknown": (every_array(), {"kind": "classes"}, ("auto, classification, regression",)),
    "idx of an unknown type": (
        changed(idx_folder, lambda folder: (folder / "train-labels-idx1-ubyte").write_bytes(b"\0\0\7\1\0\0\0\0")),
        {},
        ("is not an idx file", "00 00 07 01"),
    ),
    "idx without training images": (
        changed(idx_folder, lambda folder: (folder / "train-images-idx3-ubyte").unlink()),
        {},
        ("has no file train-images",),
    ),
    "idx with a limit below zero": (idx_folder, {"limit": -5}, ("limit of idx", "0 or more")),
    "saved parts without a train part": (saved_parts(a="test"), {}, ("Save train",)),
    "a saved data set whose description is damaged": (
        changed(hf_folder, lambda folder: (folder / "dataset_info.json").write_text("{")),
        {},
        ("save_to_disk",),
    ),
    "a saved data set without its label": (hf_folder, {"label": "kind"}, ("no label column", "image, label")),
}


def card_of(folder: Path, path: Path, args: dict[str, object]) -> DataCard:
    """As a spec that names the path alone is read."""
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"name": "t", "data": {"path": str(path), "args": args}}), encoding="utf-8")
    return prepare(load_spec(spec, {}))[1]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_message(name: str, tmp_path: Path) -> None:
    make, args, words = REFUSED[name]
    path = make(tmp_path)
    with pytest.raises(UserError) as caught:
        card_of(tmp_path, path, args)
    for word in words:
        assert word in str(caught.value)
    for message in caught.value.messages:
        assert message[-1] in ".?"
        assert "\n" not in message
    left = list(cache.place().glob("*"))
    assert all((entry / "index.json").exists() for entry in left)  # whole, or not there


SKIPPED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "a text among images": (in_photos(lambda folder: (folder / "ant" / "a.txt").write_text("x")), ("1 not an image",)),
    "an empty image": (in_photos(lambda folder: (folder / "ant" / "0.png").write_bytes(b"")), ("1 empty", "0.png")),
    "an image that is cut off": (in_photos(lambda folder: cut(folder / "ant" / "0.png", 600)), ("1 damaged",)),
    "a huge image": (in_photos(lambda folder: (folder / "ant" / "0.png").write_bytes(HUGE)), ("1 more than",)),
    "a link to nothing": (in_photos(lambda folder: (folder / "ant" / "l").symlink_to("nothing")), ("1 a broken link",)),
    "a pipe": (in_photos(lambda folder: os.mkfifo(folder / "ant" / "pipe.png")), ("1 not a regular file",)),
    "floating-point pixels": (
        in_photos(lambda folder: Image.fromarray(np.ones((9, 9), np.float32)).save(folder / "ant" / "f.tif")),
        ("1 floating-point pixels",),
    ),
    "a file beside the classes": (
        in_photos(lambda folder: (folder / "list.txt").write_text("x")),
        ("no class folder",),
    ),
    "a line without a label": (frame(lambda made: made.assign(label=[None, *made["label"][1:]])), ("1 line without",)),
    "a missing number": (frame(with_value(np.nan)), ("'length': 1 missing", "filled")),
    "a word among numbers": (frame(with_value("n.n.")), ("such as 'n.n.'", "filled")),
    # and what is read after all, but told
    "a class called None": (
        rows("size,label", "@,None", "@,mild"),
        ("count as classes", "'None' (30 lines)", "missing"),
    ),
    "labels with blanks": (rows("size,label", "@,cat", "@,dog", "@,cat "), ("20 labels joined", "'cat' and 'cat '")),
    "labels of two Unicode forms": (
        rows("size,label", "@,caf\u00e9", "@,cafe\u0301", "@,tea", "@,tea"),
        ("15 labels joined", "cafe\\u0301"),
    ),
    "labels that differ in case": (rows("size,label", "@,Cat", "@,cat"), ("differ in case only", "'Cat' and 'cat'")),
    "a table in Latin-1": (rows("größe,label", "@,x", "@,y", encoding="latin-1"), ("encoding cp1252",)),
    "a table of Excel's Unicode text": (rows("größe\tlabel", "@\tx", "@\ty", encoding="utf-16"), ("utf-16",)),
    "decimal commas": (rows("size;label", "@,5;x", "@,25;y"), ("decimal commas",)),
    "names that are numbers": (rows("0,1,label", "@,2.5,x", "@,3.5,y"), ("label column 'label'",)),
    "a link that leads back": (linked("ant/again", lambda folder: folder), ("1 link left out", "ant/again")),
    "a hidden image": (
        in_photos(lambda folder: (folder / "ant" / "0.png").rename(folder / "ant" / ".0.png")),
        ("1 hidden image left out", "ant/.0.png"),
    ),
    "a link to nothing beside the classes": (linked("dogs", lambda _: "nothing"), ("dogs", "in no class folder")),
    "a deep image": (in_photos(deep), ("1 with more than 8 bits", "4,095 white")),
    "an animation": (in_photos(moving), ("1 with several frames",)),
    "a picture that Git did not fetch": (
        in_photos(lambda folder: (folder / "ant" / "0.png").write_bytes(LFS)),
        ("1 not an image", "ant/0.png"),
    ),
    "classes that differ in case": (
        in_photos(lambda folder: (folder / "ant").rename(folder / "Bee")),
        ("'Bee' and 'bee'",),
    ),
    "a column of one text per line": (
        frame(lambda made: made.assign(note=[f"note {row}" for row in range(60)])),
        ("'note' left out",),
    ),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_it_is_left_out_and_counted(name: str, tmp_path: Path) -> None:
    make, words = SKIPPED[name]
    card = card_of(tmp_path, make(tmp_path), {})
    told = " ".join((*card.notes, *card.warnings))
    for word in words:
        assert word in told
    assert card.train_items + card.validation_items + card.test_items >= 59
