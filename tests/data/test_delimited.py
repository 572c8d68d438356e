"""How a file is written follows from its beginning: encoding, separator, names, decimal mark."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data.delimited import read_delimited
from superconv_tune.data.table import OPTIONS, TEXT_OPTIONS

DEFAULTS = {name: value[0] if isinstance(value, tuple) else value for name, value in (OPTIONS | TEXT_OPTIONS).items()}
ROWS = "größe,label\n1.5,süß\n2.5,“bitter”\n3.5,süß\n"


def read(folder: Path, content: str | bytes, name: str = "t.csv", **chosen: Any) -> tuple[pd.DataFrame, str]:
    """The table, and what was said about the file."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    frame, _, told = read_delimited(folder / name, DEFAULTS | chosen, "table t.csv")
    return frame, " ".join(told)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "encoding utf-16"),
        ("utf-16-le", "encoding utf-16-le"),
        ("utf-16-be", "encoding utf-16-be"),
        ("utf-32", "encoding utf-32"),
        ("cp1252", "encoding cp1252"),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_any_usual_encoding_is_read(encoding: str, said: str, is_packed: bool, tmp_path: Path) -> None:
    content = ROWS.encode(encoding)
    frame, told = read(tmp_path, *((gzip.compress(content), "t.csv.gz") if is_packed else (content, "t.csv")))
    assert frame.columns.tolist() == ["größe", "label"]
    assert frame["label"].tolist() == ["süß", "“bitter”", "süß"]
    assert (said in told) if said else not told


def test_another_byte_far_from_the_beginning_is_noticed(tmp_path: Path) -> None:
    content = b"a,label\n" + b"1,x\n" * 40_000 + "2,ö\n".encode("latin-1")
    frame, told = read(tmp_path, content)
    assert frame["label"].iloc[-1] == "ö"
    assert "encoding cp1252" in told


def test_an_encoding_can_be_said(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, "a,label\n1,да\n".encode("cp1251"), encoding="cp1251")
    assert frame["label"].tolist() == ["да"]
    with pytest.raises(UserError, match=r"encoding: unknown encoding: kio8"):
        read(tmp_path, ROWS, encoding="kio8")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a;b;label\n1,5;2,5;x\n3,5;4,5;y\n", 3),  # as many commas as semicolons
        ("1,5;2,5;3\n3,5;4,5;4\n", 3),
        ("a\tb\tlabel\n1,5\t2;5\tx\n", 3),
        ("a|label\n1|x\n", 2),
        ("1,2,3,a;b\n4,5,6,c;d\n", 4),
        ('text,label\n"one; two; three",x\n"four; five; six",y\n', 2),
        ("sep=;\na;label\n1;x\n", 2),  # as Excel writes it
        ('"sep=\t"\r\na\tlabel\r\n1\tx\r\n', 2),
        ("a,label\r1,x\r2,y\r", 2),  # line ends of old Macs
        ("a, b, label\n1, 2, x\n", 3),  # fastai/fastai#2715
        ("a,b,label\n1,2,x\n\n\n3,4,y\n", 3),
        ("a,b,label,\n1,2,x,\n", 4),
    ],
)
def test_separators_are_told_from_decimal_commas(text: str, columns: int, tmp_path: Path) -> None:
    frame, _ = read(tmp_path, text, label="last" if text[0] == "1" else "label")
    assert frame.shape[1] == columns


def test_a_separator_can_be_said(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, "a   b label\n1 2   x\n", separator=" ")
    assert frame.columns.tolist() == ["a", "b", "label"]


@pytest.mark.parametrize(
    "header",
    [
        '"price\n(EUR)",size,label',
        "price  (EUR) ,size ,label ",
        "\ufeffprice (EUR),size,label",
        '"price (EUR)","size","label"',
    ],
)
def test_names_are_one_line_without_blanks_around_them(header: str, tmp_path: Path) -> None:
    """Blanks after names: asreview/asreview#467."""
    frame, _ = read(tmp_path, f"{header}\n1,2,x\n3,4,y\n")
    assert frame.columns.tolist() == ["price (EUR)", "size", "label"]
    assert len(frame) == 2


def test_an_empty_name_is_the_place(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, ",a,,label\n0,1,2,x\n1,3,4,y\n")
    assert frame.columns.tolist() == ["Unnamed: 0", "a", "Unnamed: 2", "label"]


def test_an_empty_name_gets_none_that_pandas_wrote_before(tmp_path: Path) -> None:
    """A table that pandas saved twice, each time with its index."""
    frame, _ = read(tmp_path, ",Unnamed: 0,a,label\n0,5,1,x\n1,6,3,y\n")
    assert frame.columns.tolist() == ["Unnamed: 0.1", "Unnamed: 0", "a", "label"]


def test_a_table_without_names_is_said_and_can_be_overruled(tmp_path: Path) -> None:
    frame, told = read(tmp_path, "1.5,2.5,0\n3.5,4.5,1\n", label="last")
    assert frame.columns.tolist() == ["c0", "c1", "c2"]
    assert len(frame) == 2
    assert "no line of names, columns c0 to c2" in told
    named, _ = read(tmp_path, "1.5,2.5,0\n3.5,4.5,1\n", label="last", header=True)
    assert named.columns.tolist() == ["1.5", "2.5", "0"]
    plain, _ = read(tmp_path, "a,label\n1,x\n", label="last", header=False)
    assert plain["c0"].tolist() == ["a", "1"]


def test_names_that_are_numbers_are_said(tmp_path: Path) -> None:
    _, told = read(tmp_path, "0,1,2\n1.5,2.5,0\n3.5,4.5,1\n", label="last")
    assert "names that are numbers (0, 1, 2)" in told


def test_decimal_commas_are_said_and_hold_for_the_whole_file(tmp_path: Path) -> None:
    frame, told = read(tmp_path, "a;b;label\n1,5;1.234;x\n2,5;999;y\n")
    assert frame["a"].tolist() == [1.5, 2.5]
    assert frame["b"].tolist() == ["1.234", "999"]  # and not 1.234, which pandas would make of it
    assert "decimal commas" in told


def test_the_label_stays_text_and_no_word_is_lost(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, "a,b,label\nNA,NA,01\n1,red,None\n,,\n")
    assert frame["label"].fillna("").tolist() == ["01", "None", ""]
    assert frame["a"].fillna("").tolist() == ["NA", "1", ""]
    assert frame["b"].fillna("").tolist() == ["NA", "red", ""]


def test_names_that_are_repeated_are_left_out_and_counted(tmp_path: Path) -> None:
    """As in files that were put one behind the other: dotnet/machinelearning#5051."""
    frame, told = read(tmp_path, "size,label\n1,label\n2,x\nsize,label\n3,y\nsize,label\n")
    assert frame["label"].tolist() == ["label", "x", "y"]
    assert frame["size"].tolist() == ["1", "2", "3"]
    assert "2 lines that repeated the names left out" in told


def test_a_field_may_hold_line_breaks_and_quotes(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, 'text,label\n"one\ntwo",x\n"say ""hi"", please",y\n')
    assert frame["text"].tolist() == ["one\ntwo", 'say "hi", please']


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "No columns"),
        (b" \n\n", "No columns"),
        (b"a,label\n1,x\n1,2,3,x\n", "line 3 has 4 fields, more fields than its first line"),
        (b"a,label\n" + b"1,x\n" * 2000 + b"1,2,x\n", "line 2002 has 3 fields"),
        (b'a,label\n"1,x\n2,y\n', "EOF inside string"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "zero bytes"),
        (b"a,label\n1,\x81\n", "can't decode"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        read(tmp_path, content)


@pytest.mark.parametrize("text", ["a b label\n1 2 x\n", "label\nx\ny\n", "one line"])
def test_one_column_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one column only"):
        read(tmp_path, text)
