"""The files that a spec names: their absolute paths, which are missing, and which format reads them."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import FROM_FILES, format_of

AUTO = "auto"  # instead of a format: whichever one reads the path
FACTORIES = ("task", "model", "optimizer")
SHOWN_FILES = 6  # of a folder in a message

UNSET = re.compile(r"\$(?:[A-Za-z_]\w*|\{[^}]*\})", re.ASCII)  # what is left of a variable that has no value

Content = dict[str, Any]


def expanded(path: str | Path) -> Path:
    """The path with ``~``, ``~user`` and ``$VARIABLE`` replaced, as a shell does where it sees them.

    Raises:
        UserError: if there is no such user or variable, for a folder that is called ``~`` or ``$X`` is never meant.
    """
    text = os.path.expanduser(os.path.expandvars(path))  # noqa: PTH111 - Path's raises where there is no such user
    unset = UNSET.search(text)
    if (unset or text.startswith("~")) and not Path(text).exists():
        fault = f"the variable {unset[0]} is not set" if unset else f"there is no user {text[1:].partition('/')[0]!r}"
        raise UserError(f"The path {str(path)!r} cannot be used: {fault}. Write the folder in full.")
    return Path(text)


def make_absolute(content: Content, folder: Path) -> None:
    """Make paths that are relative to the spec's folder absolute.

    Raises:
        UserError: if one begins at a user or a variable that does not exist.
    """
    for section, key in ((_section(content, "data"), "path"), (content, "output")):
        if isinstance(section.get(key), str):
            section[key] = str(folder / expanded(section[key]))
    for section in _factories(content).values():
        place, _, function = section["factory"].rpartition(":")
        if place.endswith(".py"):
            section["factory"] = f"{folder / expanded(place)}:{function}"


def missing(content: Content) -> dict[str, Path]:
    """The files that are named but do not exist, by dotted key; all paths must be absolute."""
    data = _section(content, "data")
    named = {"data.path": data.get("path")} if data.get("format", AUTO) in (*FROM_FILES, AUTO) else {}
    for name, section in _factories(content).items():
        file = section["factory"].rpartition(":")[0]
        named |= {f"{name}.factory": file} if file.endswith(".py") else {}
    paths = {key: Path(file) for key, file in named.items() if isinstance(file, str)}
    return {key: path for key, path in paths.items() if not path.exists()}


def relocate(content: Content, before: Path, now: Path) -> None:
    """Where a named file is gone, name the one at the same place beside a folder that was moved, if it is there.

    Args:
        content: the spec; all paths are absolute.
        before: the folder, where it was.
        now: the same folder, where it is.
    """
    for dotted, path in missing(content).items():
        here = Path(os.path.normpath(now / os.path.relpath(path, before)))
        if here.exists() and dotted == "data.path":
            content["data"]["path"] = str(here)
        elif here.exists():
            section = _factories(content)[dotted.removesuffix(".factory")]
            section["factory"] = f"{here}:{section['factory'].rpartition(':')[2]}"


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
    if before.get("format") in FROM_FILES:
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


def _section(content: Content, name: str) -> Content:
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _factories(content: Content) -> dict[str, Content]:
    """The sections that name a factory, as mappings; errors in the others are reported when the spec is checked."""
    if isinstance(content.get("task"), str):  # a shorthand
        content["task"] = {"factory": content["task"]}
    sections = {name: _section(content, name) for name in FACTORIES}
    families = content["model"] if isinstance(content.get("model"), list) else []
    sections |= {f"model.{place}": each for place, each in enumerate(families) if isinstance(each, dict)}
    return {name: section for name, section in sections.items() if isinstance(section.get("factory"), str)}
