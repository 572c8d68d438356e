"""Delimited text (csv, tsv): what kind it is follows from its beginning; then pandas reads it once.

Programs of different countries separate fields by commas, semicolons or tabs, write numbers with a decimal comma, and
store text in other encodings; and many public tables begin with no line of names.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from superconv_tune.core.errors import UserError
from superconv_tune.data.budget import unpacked
from superconv_tune.data.header_line import MOST_COLUMNS, begins_with_names
from superconv_tune.data.labels import label_column
from superconv_tune.data.numbers import decimal_mark
from superconv_tune.data.spelling import tidy
from superconv_tune.data.words import count_of, some

SEPARATORS = "\t;|,"
TEXT_COST = 4  # bytes of memory per byte of text, whose fields become objects of Python
FIELD_COST = 24  # bytes of memory per field, however short: where it begins, and a number of 8 bytes that is copied
BEGINNING = 2**16  # bytes of the file that its kind is judged by
SAMPLE = 1000  # lines, likewise
UTF16_SHARE = 0.4  # of zero bytes in every second place, from which text without a byte order mark is UTF-16
FIRST_OF_TEXT = "\t"  # the control characters before it are in no text
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
USUAL = "utf-8"
WESTERN = "cp1252"  # Latin-1 with the quotes and dashes of Windows: what text that is no UTF-8 mostly is
EXCEL = re.compile(r'"?sep=(.)"?\s*')  # Excel's own first line, which names the separator
NUMBER = re.compile(r"[-+.,0-9eE ']+")
TOO_LONG = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes:
        file: the file.
        encoding: of its text.
        separator: between fields.
        skipped: lines before its first one.
        decimal: the decimal mark of its numbers.
        has_names: whether its first line names the columns.
        cost: bytes of memory per byte of the file.
        sample: its first lines as text, that of the names included.
    """

    file: Path
    encoding: str
    separator: str
    skipped: int
    decimal: str
    has_names: bool
    cost: float
    sample: pd.DataFrame

    @cached_property
    def names(self) -> list[str]:
        """Names of the columns: c0, c1, … if the file has none.

        Raises:
            UserError: if two columns have one name.
        """
        if not self.has_names:
            return [f"c{place}" for place in range(self.sample.shape[1])]
        names = [tidy(cell) for cell in self.sample.iloc[0]]
        refuse_twice(names, self.file)
        return [name or _unnamed(place, names) for place, name in enumerate(names)]

    @property
    def lines(self) -> pd.DataFrame:
        """The first lines below the names, as text."""
        return self.sample.iloc[int(self.has_names) :].set_axis(self.names, axis=1)

    @property
    def words(self) -> str:
        """What is not as usual about the file, as a sentence; empty if nothing is."""
        names = self.names
        facts = [
            f"encoding {self.encoding}" if self.encoding not in (USUAL, "utf-8-sig") else "",
            f"no line of names, columns c0 to {names[-1]}" if not self.has_names else "",
            f"names that are numbers ({some(names)})" if self.has_names and all(map(str.isdigit, names)) else "",
            "decimal commas" if self.decimal == "," else "",
        ]
        told = "; ".join(filter(None, facts))
        return (
            f"{self.file.name} read with: {told}. `args` can say otherwise: header, decimal, encoding." if told else ""
        )


def read_delimited(
    file: Path, chosen: Mapping[str, Any], where: str, *, is_first: bool = True
) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """The table in a file; the options with what was found for them; and sentences on what is not as usual.

    Every column is numbers or text as pandas reads it, but that no word counts as missing, and the label is text.

    Args:
        file: the file, raw or gzipped.
        chosen: the options ``label``, ``header``, ``decimal``, ``separator`` and ``encoding``.
        where: format and path, for messages.
        is_first: whether the options are the user's; for a further part they are those found for the first.

    Raises:
        UserError: if the label column is not clear, two columns have one name, or there is one column only.
        ValueError: if it cannot be read as text, or as lines of fields.
    """
    dialect = _any_encoding(file, chosen)
    label = chosen["label"]
    if is_first:
        label = label_column(dialect.lines, label, where, is_named=dialect.has_names)
    frame = _parsed(
        file,
        dialect.encoding,
        dialect.separator,
        dialect.cost,
        header=0 if dialect.has_names else None,
        skiprows=dialect.skipped,
        names=dialect.names,
        dtype={label: "str"} if label in dialect.names else None,
        decimal=dialect.decimal,
        na_values=[""],
        low_memory=False,
    )
    found = {"label": label, "header": dialect.has_names, "decimal": dialect.decimal}
    frame, repeated = _without_names(frame, dialect, label)
    return frame, {**chosen, **found}, [*filter(None, [dialect.words, repeated])]


def _without_names(frame: pd.DataFrame, dialect: Dialect, label: str) -> tuple[pd.DataFrame, str]:
    """The table without lines that repeat the names, as in files that were put one behind the other; and how many."""
    if not dialect.has_names or label not in dialect.names:
        return frame, ""
    written = dialect.sample.iloc[0].tolist()
    suspects = frame[frame[label] == written[dialect.names.index(label)]]
    if suspects.empty:
        return frame, ""
    again = suspects.index[suspects.fillna("").eq(written, axis=1).all(axis=1)]
    told = (
        f"{dialect.file.name}: {count_of(len(again), 'line')} that repeated the names left out." if len(again) else ""
    )
    return frame.drop(index=again).reset_index(drop=True), told


def _unnamed(place: int, taken: Sequence[str]) -> str:
    """The name that pandas gives a column without one; with an ending where it has given it already."""
    name = f"Unnamed: {place}"
    while name in taken:
        name += ".1"
    return name


def refuse_twice(names: Sequence[str], file: Path) -> None:
    """Refuse a table in which two columns have one name.

    Raises:
        UserError: if there are such.
    """
    twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if twice:
        raise UserError(f"data.path: {file} has more than one column called {some(twice)}. Give each its own name.")


def find_dialect(file: Path, chosen: Mapping[str, Any], encoding: str) -> Dialect:
    """How a file is written, judged by its beginning and by the options.

    Raises:
        UserError: if there is one column only.
        ValueError: if it cannot be read as text, or as lines of fields.
    """
    beginning = _beginning(file)
    text = codecs.getincrementaldecoder(encoding)().decode(beginning)
    first = EXCEL.fullmatch(text.partition("\n")[0])
    text = text.partition("\n")[2] if first else text
    is_whole = len(beginning) < BEGINNING
    if not text.strip():
        raise ValueError("No columns: it is empty")
    named = first[1] if first else ""
    separator = chosen["separator"] or named or _separator(_records(text, is_whole=is_whole), file)
    skipped = int(bool(first))
    sample = _parsed(file, encoding, separator, header=None, skiprows=skipped, dtype="str", nrows=SAMPLE).fillna("")
    has_names = begins_with_names(sample) if chosen["header"] == "auto" else bool(chosen["header"])
    body = sample.iloc[int(has_names) :]
    step = 1 + body.shape[1] // MOST_COLUMNS
    decimal = (
        decimal_mark(body[place] for place in body.columns[::step])
        if chosen["decimal"] == "auto"
        else chosen["decimal"]
    )
    fields = sample.shape[1] * max(1, text.count("\n"))
    cost = max(TEXT_COST, FIELD_COST * fields / len(beginning))
    return Dialect(file, encoding, separator, skipped, decimal, has_names, cost, sample)


def _any_encoding(file: Path, chosen: Mapping[str, Any]) -> Dialect:
    """How a file is written, in the first encoding in which it is text to its end."""
    *first, last = [chosen["encoding"]] if chosen["encoding"] else _encodings(_beginning(file))
    for encoding in first:
        if _is_text(file, encoding):
            return find_dialect(file, chosen, encoding)
    try:
        return find_dialect(file, chosen, last)
    except LookupError as error:
        raise UserError(f"data.args: encoding: {error}. Write for example utf-8, utf-16 or cp1252.") from error


def _encodings(beginning: bytes) -> list[str]:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if beginning.startswith(mark):
            return [encoding]
    if b"\0" not in beginning:
        return [USUAL, WESTERN]
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        places = beginning[start::2]
        text = codecs.getincrementaldecoder(encoding)("replace").decode(beginning)
        if places.count(0) >= UTF16_SHARE * len(places) and min(text) >= FIRST_OF_TEXT:
            return [encoding]
    raise ValueError("it has zero bytes, so it is not text")


def _is_text(file: Path, encoding: str) -> bool:
    """Whether all of a file can be decoded; takes a second per GB, and keeps nothing."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with _opened(file) as content:
            while chunk := content.read(2**20):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _beginning(file: Path) -> bytes:
    with _opened(file) as content:
        return content.read(BEGINNING)


@contextmanager
def _opened(file: Path, cost: float = TEXT_COST) -> Iterator[BinaryIO]:
    with unpacked(file, cost, is_packed=file.suffix.lower() == ".gz") as (content, _):
        yield content


def _records(text: str, *, is_whole: bool) -> dict[str, list[list[str]]]:
    """The lines of a text, as fields, by separator; the last one may be cut off."""
    found = {}
    for separator in SEPARATORS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        rows = [row for row in reader if row]
        found[separator] = rows if is_whole or len(rows) < 2 else rows[:-1]
    return found


def _separator(records: Mapping[str, list[list[str]]], file: Path) -> str:
    """The separator that divides every line into as many fields, of which the fewest hold another one.

    Raises:
        UserError: if there is one column only.
    """
    several = {separator: rows for separator, rows in records.items() if rows and len(rows[0]) > 1}
    if not several:
        first = next((row for row in records[","]), [""])
        raise UserError(
            f"data.path: {file} has one column only: {tidy(','.join(first))[:80]!r}. Columns are separated by a comma, "
            f"a semicolon, a tab or | (`args: {{separator: …}}` names another, ' ' for blanks); and a label needs a "
            f"column beside it."
        )
    even = {separator: rows for separator, rows in several.items() if len(set(map(len, rows))) == 1}
    return max(even or several, key=lambda each: (_plain_share(several[each], each), len(several[each][0])))


def _plain_share(rows: Sequence[Sequence[str]], separator: str) -> float:
    """Share of the fields that are numbers, or hold no other separator."""
    others = set(SEPARATORS) - {separator}
    fields = [field for row in rows for field in row]
    return float(np.mean([not others & set(field) or NUMBER.fullmatch(field) is not None for field in fields]))


def _parsed(file: Path, encoding: str, separator: str, cost: float = TEXT_COST, **how: Any) -> pd.DataFrame:
    """The file, or its beginning, as pandas reads it; no word counts as missing."""
    try:
        with _opened(file, cost) as content:
            return pd.read_csv(
                content,
                sep=r"\s+" if separator == " " else separator,
                encoding=encoding,
                skipinitialspace=True,
                keep_default_na=False,
                **how,
            )
    except pd.errors.ParserError as error:
        raise ValueError(_too_long(str(error))) from error


def _too_long(error: str) -> str:
    """The message of pandas, in other words if a line has too many fields."""
    found = TOO_LONG.search(error)
    if found is None:
        return error
    wanted, line, seen = found.groups()
    return f"line {line} has {seen} fields, more fields than its first line has names or values ({wanted})"
