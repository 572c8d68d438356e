"""Several studies of one folder side by side."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from superconv_tune.core.errors import UserError
from superconv_tune.study.compare import PAGE, compare
from tests.study.conftest import Workplace


def test_two_studies_on_one_page_and_in_one_table(workplace: Workplace) -> None:
    workplace.begin("easy")
    workplace.begin("open", target=None, trials=1)
    shown = Console(file=io.StringIO(), width=200)
    compare(["easy", "open"], workplace.output, None, shown)
    table = shown.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert "easy" in table
    assert "open" in table
    assert "Demonstrated" in table
    page = (workplace.folder / "runs" / PAGE).read_text(encoding="utf-8")
    assert "easy" in page
    assert "open" in page


def test_one_that_is_missing_is_named_and_no_page_is_written(finished: Workplace) -> None:
    with pytest.raises(UserError, match="There is no study 'other' here"):
        compare(["done", "other"], finished.output, None, Console(file=io.StringIO()))
    assert not (finished.folder / "runs" / PAGE).exists()
