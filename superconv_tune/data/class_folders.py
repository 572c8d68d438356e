"""Folders of images, a folder per class: which files there are, and which are left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from superconv_tune.core.errors import UserError
from superconv_tune.data.decode import Source
from superconv_tune.data.recognise import IMAGE_SUFFIXES, SPLIT_FOLDERS, is_hidden
from superconv_tune.data.words import SHOWN_FILES, count_of, some


@dataclass(frozen=True)
class Listed:
    """An image to decode.

    Attributes:
        name: for messages; a path inside the folder.
        source: the file, or its content.
        state: numbers that change when the image changes.
        label: name of its class.
        part: ``train``, ``validation`` or ``test``.
    """

    name: str
    source: Source
    state: tuple[int, ...]
    label: str
    part: str


def images_in(folder: Path) -> tuple[list[Listed], list[str]]:
    """The files in class folders, sorted by name; and sentences on what was left out."""
    above = {entry.name.lower(): entry for entry in _folders(folder)}
    given = {name: SPLIT_FOLDERS[name] for name in above if name in SPLIT_FOLDERS}
    if "train" not in given.values():
        images, warnings = _in_classes(folder, folder, "train")
        return images, warnings
    strangers = [above[name].name for name in above if name not in given]
    twice = [part for part, count in Counter(given.values()).items() if count > 1]
    if strangers or twice:
        raise UserError(
            f"data.path: {folder} has the folder {', '.join(sorted(given))} and beside it "
            f"{', '.join(strangers) or 'two for ' + twice[0]}. Keep train, validation and test, or class folders only; "
            f"a class called train needs another name."
        )
    found = [_in_classes(above[name], folder, part) for name, part in given.items()]
    return [image for images, _ in found for image in images], [words for _, more in found for words in more]


def files_below(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones, sorted; links are followed.

    Raises:
        UserError: if a folder cannot be listed.
    """
    return _inside(folder).files


def _in_classes(folder: Path, root: Path, part: str) -> tuple[list[Listed], list[str]]:
    classes = _folders(folder)
    _refuse_no_classes(folder, classes)
    inside = {entry.name: _inside(entry) for entry in classes}
    empty = [f"{folder / name}" for name, each in inside.items() if not each.files]
    if empty:
        raise UserError(
            f"data.path: {len(empty)} class folder{'s are' if len(empty) > 1 else ' is'} empty: "
            f"{some(empty, SHOWN_FILES)}. Put images in, or remove it."
        )
    images = [
        Listed(printable(file.relative_to(root)), file, state(file), printable(label), part)
        for label, each in inside.items()
        for file in each.files
    ]
    loose = [entry for entry in sorted(folder.iterdir()) if not entry.is_dir() and not is_hidden(entry.name)]
    hidden = [file for each in inside.values() for file in each.hidden]
    again = [place for each in inside.values() for place in each.again]
    return images, [
        *_left_out(loose, root, "file", f"in {folder} left out, in no class folder"),
        *_left_out(hidden, root, "hidden image", "left out"),
        *_left_out(again, root, "link", "left out, because it leads to a folder that is read by another name"),
    ]


def _refuse_no_classes(folder: Path, classes: Sequence[Path]) -> None:
    if len(classes) > 1:
        return
    if not classes:
        raise UserError(
            f"data.path: {folder} has no folders, so no image has a class. Make one folder of images per class."
        )
    inner = [entry.name for entry in _folders(classes[0])]
    hint = (
        f" Is {classes[0]} the data? It has {some(inner, SHOWN_FILES)}."
        if len(inner) > 1
        else " At least two classes are needed."
    )
    raise UserError(f"data.path: {folder} has one class folder only: {classes[0].name}.{hint}")


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not is_hidden(entry.name))
    except OSError as error:
        raise UserError(f"data.path: {folder} cannot be listed ({error.strerror}). Check its permissions.") from error


@dataclass(frozen=True)
class Inside:
    """What is below a class folder, by name.

    Attributes:
        files: all files but hidden ones, those in linked folders included.
        hidden: images whose names begin with a dot.
        again: links to folders that are read by another name already, or that hold the class folder.
    """

    files: list[Path]
    hidden: list[Path]
    again: list[Path]


def _inside(folder: Path) -> Inside:
    """What is below a class folder; links are followed, but no folder is read twice."""

    def refuse(error: OSError) -> None:
        raise UserError(
            f"data.path: {error.filename} cannot be listed ({error.strerror}). Check its permissions."
        ) from error

    found = Inside([], [], [])
    read = {_identity(above) for above in (*folder.resolve().parents, *folder.absolute().parents)}
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if _identity(Path(place)) in read:
            found.again.append(Path(place))
            folders.clear()
            continue
        read.add(_identity(Path(place)))
        visible = [name for name in folders if not is_hidden(name)]
        folders[:] = sorted(visible, key=lambda name: (Path(place, name).is_symlink(), name))
        found.files.extend(Path(place) / name for name in names if not is_hidden(name))
        found.hidden.extend(Path(place) / name for name in names if _is_hidden_image(name))
    return Inside(sorted(found.files), sorted(found.hidden), found.again)


def _identity(folder: Path) -> tuple[int, int]:
    """Numbers that a folder keeps under all its names."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_hidden_image(name: str) -> bool:
    """Whether an image is hidden; what macOS stores beside files on foreign disks (``._a.png``) is none."""
    return name.startswith(".") and not name.startswith("._") and name.lower().endswith(IMAGE_SUFFIXES)


def _left_out(entries: Sequence[Path], root: Path, what: str, why: str) -> list[str]:
    names = [printable(entry.relative_to(root)) for entry in entries]
    return [f"{count_of(len(names), what)} {why}: {some(names, SHOWN_FILES)}."] if names else []


def state(file: Path) -> tuple[int, ...]:
    """Size and times, also of the inode's change, which nobody can set; hashing would be as slow as decoding."""
    try:
        status = file.stat()
    except OSError:  # a broken link; the decoder counts it as unreadable
        return (-1,)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def printable(name: str | Path) -> str:
    r"""The name as text; file names are bytes, of which those that are no valid text are written as ``\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
