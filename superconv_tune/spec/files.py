"""The files that a spec names: where they are, what is beside one that is not there, what reads them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from superconv_tune.core.errors import UserError
from superconv_tune.spec.names import READS_PATH

FACTORIES = ("task", "model", "optimizer")
READING = [name for name, reads_path in READS_PATH.items() if reads_path]  # formats whose data lie in files
SHOWN_FILES = 6  # of a folder in a message

Content = dict[str, Any]


def make_absolute(content: Content, folder: Path) -> None:
    """Turn paths that are relative to the spec's folder into ones that do not depend on where the command runs."""
    for section, key in ((_section(content, "data"), "path"), (content, "output")):
        if isinstance(section.get(key), str):
            section[key] = str(folder / Path(section[key]).expanduser())
    for section in _factories(content).values():
        place, _, function = section["factory"].rpartition(":")
        if place.endswith(".py"):
            section["factory"] = f"{folder / Path(place).expanduser()}:{function}"


def missing(content: Content) -> dict[str, Path]:
    """The files that are named and not there, by dotted key; paths are absolute."""
    data = _section(content, "data")
    named = {"data.path": data.get("path")} if data.get("format") in READING else {}
    for name, section in _factories(content).items():
        file = section["factory"].rpartition(":")[0]
        named |= {f"{name}.factory": file} if file.endswith(".py") else {}
    paths = {key: Path(file) for key, file in named.items() if isinstance(file, str)}
    return {key: path for key, path in paths.items() if not path.exists()}


def near(path: Path) -> str:
    """What lies beside a file that is not there, the likeliest first."""
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}."
    names = sorted(entry.name for entry in path.parent.iterdir() if not entry.name.startswith("."))
    alike = difflib.get_close_matches(path.name, names, n=SHOWN_FILES)
    shown = alike + [name for name in names if name not in alike]
    more = ", …" if len(shown) > SHOWN_FILES else ""
    return f"There is: {', '.join(shown[:SHOWN_FILES]) or 'nothing'}{more}."


def data_at(data: object, path: Path) -> Content:
    """The section ``data`` moved to a path: read as before if that format reads files, else by what lies there.

    Raises:
        UserError: if nothing lies there, or nothing that a format reads.
    """
    before: Content = data if isinstance(data, dict) else {"format": data}
    if before.get("format") in READING:
        return before | {"path": str(path)}
    if not path.exists():
        raise UserError(f"--data: there is no file or folder {path}. {near(path)}")
    if path.suffix == ".npz":
        return {"format": "npz", "path": str(path)}
    if path.is_dir() and any(path.glob("*-ubyte*")):
        return {"format": "idx", "path": str(path)}
    raise UserError(
        f"--data: {path} is neither an .npz file nor a folder laid out like MNIST. Formats that read files: "
        f"{', '.join(READING)}. All else is for a function of yours: `task: {{factory: my_problem.py:task}}` in a spec."
    )


def _section(content: Content, name: str) -> Content:
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _factories(content: Content) -> dict[str, Content]:
    """The sections that name a factory, as mappings; what is wrong with the others is told when they are checked."""
    if isinstance(content.get("task"), str):  # a shorthand
        content["task"] = {"factory": content["task"]}
    sections = {name: _section(content, name) for name in FACTORIES}
    return {name: section for name, section in sections.items() if isinstance(section.get("factory"), str)}
