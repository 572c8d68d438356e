"""The tables of long benchmarks."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import append, read


def test_rows_are_added_below_one_head_and_read_by_its_names(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    assert read(table) == []
    append(table, ("task", "value"), [("a", 1), ("b, c", 2.5)])
    append(table, ("task", "value"), [("d", "")])
    assert table.read_text(encoding="utf-8").count("task") == 1
    assert read(table) == [
        {"task": "a", "value": "1"},
        {"task": "b, c", "value": "2.5"},
        {"task": "d", "value": ""},
    ]
