"""The files that a spec names: their absolute paths, which are missing, and which format reads them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from superconv_tune.core.errors import UserError
from superconv_tune.spec.names import IMAGE_SUFFIXES, READS_PATH, TABLE_SUFFIXES

AUTO = "auto"  # instead of a format: whichever one reads the path
FACTORIES = ("task", "model", "optimizer")
READING = [name for name, reads_path in READS_PATH.items() if reads_path]  # formats whose data are files
SHOWN_FILES = 6  # number of a folder's files that a message lists

Content = dict[str, Any]


def make_absolute(content: Content, folder: Path) -> None:
    """Make paths that are relative to the spec's folder absolute."""
    for section, key in ((_section(content, "data"), "path"), (content, "output")):
        if isinstance(section.get(key), str):
            section[key] = str(folder / Path(section[key]).expanduser())
    for section in _factories(content).values():
        place, _, function = section["factory"].rpartition(":")
        if place.endswith(".py"):
            section["factory"] = f"{folder / Path(place).expanduser()}:{function}"


def missing(content: Content) -> dict[str, Path]:
    """The files that are named but do not exist, by dotted key; all paths must be absolute."""
    data = _section(content, "data")
    named = {"data.path": data.get("path")} if data.get("format", AUTO) in (*READING, AUTO) else {}
    for name, section in _factories(content).items():
        file = section["factory"].rpartition(":")[0]
        named |= {f"{name}.factory": file} if file.endswith(".py") else {}
    paths = {key: Path(file) for key, file in named.items() if isinstance(file, str)}
    return {key: path for key, path in paths.items() if not path.exists()}


def near(path: Path) -> str:
    """A sentence that lists what is in the folder of a missing file, similar names first."""
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}."
    names = sorted(entry.name for entry in path.parent.iterdir() if not entry.name.startswith("."))
    alike = difflib.get_close_matches(path.name, names, n=SHOWN_FILES)
    shown = alike + [name for name in names if name not in alike]
    more = ", …" if len(shown) > SHOWN_FILES else ""
    return f"There is: {', '.join(shown[:SHOWN_FILES]) or 'nothing'}{more}."


def data_at(data: object, path: Path) -> Content:
    """The section ``data`` with another path, and with the format found from the path unless it named one for files.

    Raises:
        UserError: if there is nothing at the path, or nothing that a format reads.
    """
    before: Content = data if isinstance(data, dict) else {"format": data}
    if before.get("format") in READING:
        return before | {"path": str(path)}
    if not path.exists():
        raise UserError(f"--data: there is no file or folder {path}. {near(path)}")
    kept = before if before.get("format", AUTO) == AUTO else {}  # the options of another format are not this one's
    return kept | {"format": format_of(path), "path": str(path)}


def name_format(content: Content) -> None:
    """Set the format of a ``data`` section that has a path and no format, from what is at the path.

    Raises:
        UserError: if no format reads it.
    """
    data = _section(content, "data")
    path = data.get("path")
    if isinstance(path, str) and data.get("format", AUTO) == AUTO and Path(path).exists():
        data["format"] = format_of(Path(path))


def format_of(path: Path) -> str:
    """The format that reads what is at a path, judged by file names; no file is opened.

    Raises:
        UserError: if none does.
    """
    try:
        found = _format_of_file(path) if path.is_file() else _format_of_folder(path)
    except OSError as error:
        raise UserError(f"data: {path} cannot be read ({error.strerror}). Check its permissions.") from error
    if found is None:
        raise UserError(
            f"data: the format of {path} is not clear. {_seen(path)} Formats that read files: {', '.join(READING)}; "
            f"name one in a spec, `data: {{format: …, path: …}}`. For anything else write a function: "
            f"`task: {{factory: my_problem.py:task}}`."
        )
    return found


def _format_of_file(path: Path) -> str | None:
    name = path.name.lower()
    if name.endswith(TABLE_SUFFIXES):
        return "table"
    return {".npz": "npz", ".npy": "npy"}.get(path.suffix.lower())


def _format_of_folder(path: Path) -> str | None:
    names = [entry.name.lower() for entry in path.iterdir()]
    if any("-ubyte" in name for name in names):
        return "idx"
    if "dataset_dict.json" in names or {"dataset_info.json", "state.json"} <= set(names):
        return "hf"
    if any(name in ("x.npy", "x_train.npy") for name in names):
        return "npy"
    if any(name.endswith(TABLE_SUFFIXES) for name in names):
        return "table"
    return "image_folder" if _images_below(path) or any(name.endswith(IMAGE_SUFFIXES) for name in names) else None


def _images_below(path: Path, depth: int = 2) -> bool:
    """Whether there are images in the folders of a folder, or in those of its train, test, … folders."""
    folders = [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return any(
        any(entry.name.lower().endswith(IMAGE_SUFFIXES) for entry in folder.iterdir())
        or (depth > 1 and _images_below(folder, depth - 1))
        for folder in folders
    )


def _seen(path: Path) -> str:
    if path.is_file():
        return f"Its name ends in {path.suffix!r}." if path.suffix else "Its name has no ending."
    names = sorted(entry.name for entry in path.iterdir())
    more = ", …" if len(names) > SHOWN_FILES else ""
    return f"There is: {', '.join(names[:SHOWN_FILES]) or 'nothing'}{more}."


def _section(content: Content, name: str) -> Content:
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _factories(content: Content) -> dict[str, Content]:
    """The sections that name a factory, as mappings; errors in the others are reported when the spec is checked."""
    if isinstance(content.get("task"), str):  # a shorthand
        content["task"] = {"factory": content["task"]}
    sections = {name: _section(content, name) for name in FACTORIES}
    return {name: section for name, section in sections.items() if isinstance(section.get("factory"), str)}
