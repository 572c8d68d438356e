"""What errors say to the user."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from superconv_tune.core.errors import one_line


@given(st.text())
def test_one_line_is_printable_and_keeps_what_was(text: str) -> None:
    safe = one_line(text)

    assert safe.isprintable()
    assert len(safe) == len(text)
