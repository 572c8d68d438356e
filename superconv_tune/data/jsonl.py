"""JSON lines: an object per line, which is a row of a table."""

from __future__ import annotations

import json
import zlib
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pandas as pd

from superconv_tune.core.errors import UserError
from superconv_tune.data.budget import unpacked
from superconv_tune.data.delimited import TEXT_COST
from superconv_tune.data.options import Args, options
from superconv_tune.data.parts import RawData
from superconv_tune.data.table import OPTIONS, from_frames


def jsonl(path: Path | None, args: Args) -> RawData:
    """A file with one JSON object per line, raw or gzipped; a key is a column, and the options are those of table."""
    chosen = options("jsonl", args, OPTIONS)
    if path is None or not path.is_file():
        raise UserError(f"data.path: no file {path}. The format jsonl reads one .jsonl file.")
    return from_frames({"train": read_rows(path)}, chosen, f"jsonl {path}")


def read_rows(path: Path) -> pd.DataFrame:
    """The objects of a file as rows.

    Raises:
        UserError: if it cannot be read, or holds something else.
    """
    opened = unpacked(path, TEXT_COST, is_packed=path.suffix == ".gz")
    try:
        with opened as (file, _), TextIOWrapper(file, encoding="utf-8-sig") as text:
            lines = list(text)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise UserError(f"data.path: {path} is no readable text file: {error}.") from error
    rows = [_row(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise UserError(f"data.path: {path} is empty.")
    return pd.DataFrame(rows)


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"data.path: {where} is no JSON: {error}. Write one object per line.") from error
    if not isinstance(row, dict):
        raise UserError(f'data.path: {where} is no object such as {{"size": 3, "label": "ant"}}. Write one per line.')
    return row
