"""By which names a format recognises its data; no file is opened."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

Recognise = Callable[[Path], bool]

# Endings of the files that the formats read, in lower case. A folder is recognised as images by these; inside it every
# file that Pillow reads is used.
TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".data", ".parquet", ".pq")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".ppm", ".pgm", ".jp2")

# What operating systems and file servers leave in folders, in lower case, beside names that begin with a dot.
JUNK = (
    "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r", "lost+found", "$recycle.bin",
    "system volume information",
)  # fmt: skip

# Folders of a data set that is split already, in lower case, and the part that each one holds.
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def named(*, file: tuple[str, ...] = (), inside: tuple[str, ...] = ()) -> Recognise:
    """Recognise a file by its name, or a folder by the name of something directly inside it.

    Args:
        file: patterns such as ``*.npz``, in lower case; one that fits is enough.
        inside: the same for what a folder holds.
    """

    def recognise(path: Path) -> bool:
        if path.is_file():
            return _fits(path.name, file)
        return any(_fits(entry.name, inside) for entry in path.iterdir() if not is_hidden(entry.name))

    return recognise


def is_hidden(name: str) -> bool:
    """Whether a name in a folder is not the user's: hidden, or left behind by another program."""
    return name.startswith(".") or name.lower() in JUNK


def ending(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns of names that end in one of the suffixes."""
    return tuple(f"*{suffix}" for suffix in suffixes)


def is_saved_dataset(path: Path) -> bool:
    """Whether the path is a folder that Hugging Face's ``save_to_disk`` wrote."""
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    return "dataset_dict.json" in names or {"dataset_info.json", "state.json"} <= names


def has_images(path: Path, depth: int = 2) -> bool:
    """Whether there are images in a folder, in its folders, or in those of its train, test, … folders."""
    if not path.is_dir():
        return False
    entries = [entry for entry in path.iterdir() if not is_hidden(entry.name)]
    return any(_fits(entry.name, ending(IMAGE_SUFFIXES)) for entry in entries) or any(
        depth > 0 and has_images(entry, depth - 1) for entry in entries
    )


def is_table(path: Path) -> bool:
    """Whether the path is a table, or a folder of tables; class folders of images may have a table beside them."""
    in_folder = named(file=ending(TABLE_SUFFIXES), inside=ending(TABLE_SUFFIXES))
    return in_folder(path) and not _has_class_folders(path)


def _has_class_folders(path: Path) -> bool:
    """Whether there are images in two folders or more, or in train and test folders."""
    folders = [entry for entry in path.iterdir() if not is_hidden(entry.name)] if path.is_dir() else []
    return sum(has_images(folder, 1) for folder in folders) > 1


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)
