"""docs/architecture.md says of every room what the room says of itself, in the order that the import contract holds."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

DOCUMENT = Path("docs/architecture.md").read_text(encoding="utf-8")
PACKAGE = Path("superconv_tune")


def layers() -> list[list[str]]:
    """The layers of the import contract, the highest first."""
    contracts = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (found,) = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    return [[room.strip() for room in layer.split("|")] for layer in found]


def sentence(room: str) -> str:
    """The first paragraph of a room's docstring."""
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")))
    assert text is not None
    return " ".join(text.split("\n\n")[0].split())


def test_every_room_is_described_by_its_own_sentence() -> None:
    rows = [line.strip("| ").split(" | ") for line in DOCUMENT.splitlines() if line.startswith("| `")]
    rooms = sorted(folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists())
    assert {name.strip("`"): text for name, text in rows} == {room: sentence(room) for room in rooms}


def test_the_picture_has_the_layers_of_the_import_contract() -> None:
    picture = DOCUMENT.split("```")[1].splitlines()[1:]
    shown = [[room.strip() for room in line.removeprefix("python -m").split("|")] for line in picture]
    assert [set(layer) for layer in shown] == [set(layer) for layer in layers()]
