"""No password survives being written down."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from superconv_tune.core.secrets import has_password, masked

SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="/?#'\"@"), min_size=1)


@given(SECRET)
@example("a\x85b\xa0c")  # spaces to Unicode
def test_the_password_of_an_address_is_gone_and_all_else_is_there(secret: str) -> None:
    address = f"postgresql+psycopg://anna:{secret}@db.example:5432/studies?sslmode=require"
    shown = "postgresql+psycopg://anna:***@db.example:5432/studies?sslmode=require"
    assert masked(address) == shown
    assert masked(f"cannot reach ({address}), try again") == f"cannot reach ({shown}), try again"
    assert masked(shown) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:p@ss:w@h/d", "postgresql://u:***@h/d"),  # not percent-encoded, as people write it
        ("postgresql://:p@h/d", "postgresql://:***@h/d"),
        ("postgresql://h/d?user=u&password=p&sslmode=x", "postgresql://h/d?user=u&password=***&sslmode=x"),
        ("https://u:p@mlflow.example", "https://u:***@mlflow.example"),
    ],
)
def test_other_places_of_a_password(address: str, shown: str) -> None:
    assert masked(address) == shown
    assert has_password(address)


@pytest.mark.parametrize(
    "address",
    ["sqlite:////data/a:b@c/studies.db", "http://localhost:5000", "postgresql://u@h:5432/d", "http://h:1/x@y", "10:30"],
)
def test_what_holds_no_password_stays(address: str) -> None:
    assert masked(address) == address
    assert not has_password(address)
