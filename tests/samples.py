"""Small data sets of every format, made from a seed."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

CLASSES = ("ant", "bee", "cat")


def picture(label: int, index: int, size: tuple[int, int] = (24, 20)) -> Image.Image:
    """A coloured noise picture of (width, height) that no other label and index share."""
    pixels = np.random.default_rng((label, index)).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    pixels[..., label] //= 2
    return Image.fromarray(pixels)


def photos(folder: Path, per_class: int = 20, first: int = 0) -> Path:
    """A folder per class, each with ``per_class`` PNG files."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for index in range(first, first + per_class):
            picture(label, index).save(folder / name / f"{index}.png")
    return folder


def idx_folder(folder: Path) -> Path:
    """60 training and 20 test images of 8 x 8 in 3 classes."""
    random = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 20)):
        images = random.integers(256, size=(count, 8, 8), dtype=np.uint8)
        header = bytes([0, 0, 8, 3]) + struct.pack(">3I", *images.shape)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = bytes(place % 3 for place in range(count))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + struct.pack(">I", count) + labels)
    return folder


def npz_file(folder: Path) -> Path:
    """60 rows of 4 numbers in 3 classes."""
    np.savez(folder / "data.npz", x=np.random.default_rng(0).normal(size=(60, 4)), y=np.arange(60) % 3)
    return folder / "data.npz"


def npy_folder(folder: Path) -> Path:
    """The same in two files."""
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(60, 4)))
    np.save(folder / "y.npy", np.arange(60) % 3)
    return folder


def flowers(count: int = 60, seed: int = 0) -> pd.DataFrame:
    """A number, a word, and a label of three classes."""
    random = np.random.default_rng(seed)
    label = np.arange(count) % 3
    return pd.DataFrame(
        {
            "length": random.normal(size=count) + label,
            "colour": random.choice(["red", "blue"], size=count),
            "label": np.array(CLASSES)[label],
        }
    )


def csv_file(folder: Path) -> Path:
    """`flowers` as csv."""
    flowers().to_csv(folder / "flowers.csv", index=False)
    return folder / "flowers.csv"


def jsonl_file(folder: Path) -> Path:
    """`flowers` as JSON lines."""
    flowers().to_json(folder / "flowers.jsonl", orient="records", lines=True)
    return folder / "flowers.jsonl"


def hf_folder(folder: Path) -> Path:
    """Images with a ClassLabel, saved as Hugging Face's library does."""
    import datasets  # noqa: PLC0415 - an extra

    rows = [(picture(label, index), label) for label in range(3) for index in range(20)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    columns: Mapping[str, list[object]] = {"image": [row[0] for row in rows], "label": [row[1] for row in rows]}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(folder / "saved")
    return folder / "saved"
