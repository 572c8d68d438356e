"""What gets into search.log."""

from __future__ import annotations

import logging
from pathlib import Path

from superconv_tune.study.logs import search_log


def test_no_password_gets_into_the_log(tmp_path: Path) -> None:
    with search_log(tmp_path):
        logging.getLogger("superconv_tune.a").info("connecting to postgresql://me:se@cret@host/db")
        try:
            raise OSError("http://me:se/cret@host is away")
        except OSError:
            logging.getLogger("superconv_tune.b").exception("No answer.")
    log = (tmp_path / "search.log").read_text(encoding="utf-8")
    assert "postgresql://me:***@host/db" in log
    assert "http://me:***@host is away" in log
    assert "cret" not in log
