"""What benchmarks and tests share stands with the benchmarks: these run where no tests are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import benchmarks

FOLDER = Path(benchmarks.__file__).parent


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_no_benchmark_imports_a_test() -> None:
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 30
    wrong = [(str(file), name) for file in files for name in imported(file) if name.partition(".")[0] == "tests"]
    assert not wrong
