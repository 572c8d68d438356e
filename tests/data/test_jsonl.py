from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data.formats import load
from tests.samples import csv_file, flowers


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_json_lines_are_as_csv(suffix: str, tmp_path: Path) -> None:
    flowers().to_json(tmp_path / f"t.{suffix}", orient="records", lines=True, double_precision=15)
    found, table = load("jsonl", tmp_path / f"t.{suffix}", {}), load("table", csv_file(tmp_path), {})
    assert found.columns == table.columns
    np.testing.assert_allclose(found.train.inputs, table.train.inputs, rtol=1e-6)
    np.testing.assert_array_equal(found.train.targets, table.train.targets)


def test_a_key_that_is_absent_is_a_missing_value(tmp_path: Path) -> None:
    lines = [f'{{"a": {number}, "label": "{"xy"[number % 2]}"}}' for number in range(40)]
    (tmp_path / "t.jsonl").write_text("\n".join([*lines, '{"label": "x"}']), encoding="utf-8")
    data = load("jsonl", tmp_path / "t.jsonl", {})
    assert len(data.train) == 41
    assert np.asarray(data.train.inputs)[-1].tolist() == [19.5, 1]  # the median, and that it was missing


@pytest.mark.parametrize(("written", "kind"), [("2024-01-0{}", "numeric"), ("january 0{}", "categorical")])
def test_a_date_is_a_time_by_its_spelling_and_not_by_its_name(written: str, kind: str, tmp_path: Path) -> None:
    lines = [f'{{"date": "{written.format(1 + number % 2)}", "label": "{"xy"[number % 2]}"}}' for number in range(40)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (column,) = load("jsonl", tmp_path / "t.jsonl", {}).columns
    assert column.kind == kind


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{no json}", "line 1 is no JSON"),
        (b'{"a": 1}\n\n[', "line 3 is no JSON"),
        (b"[1, 2]", "line 1 is no object"),
        (b"\n", "is empty"),
        (b"\xff\xfe\x00", "no readable text"),
        (b'{"a": [1, 2], "label": "x"}\n' * 40, "a"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=rf"t\.jsonl.*{said}"):
        load("jsonl", tmp_path / "t.jsonl", {})
