"""Masking passwords in addresses."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from superconv_tune.core.secrets import RESERVED, has_password, masked, needs_encoding

PRINTABLE = st.text(st.characters().filter(str.isprintable), min_size=1)
PLACES = (
    "postgresql+psycopg://anna:{}@db.example:5432/studies?sslmode=require",
    "postgresql://anna@server:{}@db.example/studies",
    "https://:{}@mlflow.example",
    "postgresql://db.example/studies?user=anna&password={}&sslmode=require",
)


def survivors(secret: str, template: str, written: str) -> list[str]:
    """Three-character pieces of the secret that are still in the masked text, but not in the rest of the address."""
    rest = template.replace("{}", "***")
    pieces = {secret[start : start + 3] for start in range(len(secret) - 2)}
    return [piece for piece in pieces if piece in written and piece not in rest]


@given(PRINTABLE)
@example("p@ss/word?x#y")
@example("two words")
@example('it\'s "quoted"')
@example("http://other:word")
@example("p&password=q")
@pytest.mark.parametrize("address", PLACES)
def test_nothing_of_a_password_is_left(address: str, secret: str) -> None:
    for template in (
        address,
        f"cannot reach ({address}), try again",
        f"http://localhost:5000/x and {address} and sqlite:///runs/a.db",
        f"a line\n{address}\nanother",
    ):
        shown = masked(template.replace("{}", secret))
        assert not survivors(secret, template, shown)
        assert "***" in shown
        assert masked(shown) == shown


@given(st.text(st.characters().filter(lambda one: one.isprintable() and one != "@"), min_size=1))
def test_the_rest_of_an_address_stays(secret: str) -> None:
    shown = "postgresql+psycopg://anna:***@db.example:5432/studies?sslmode=require"
    address = shown.replace("***", secret)
    assert masked(address) == shown
    assert masked(f"cannot reach ({address}), try again") == f"cannot reach ({shown}), try again"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:p@ss:w@h/d", "postgresql://u:***@h/d"),  # not percent-encoded, as people write it
        ("postgresql://u@server:p@h/d", "postgresql://u@server:***@h/d"),
        ("postgresql://:p@h/d", "postgresql://:***@h/d"),
        ("postgresql://h/d?user=u&password=p&sslmode=x", "postgresql://h/d?user=u&password=***"),
        ("https://u:p@mlflow.example", "https://u:***@mlflow.example"),
        ("http://h:1/x@y", "http://h:***@y"),  # a port and a path, or a password with a slash
        ("http://u:a\x85b\xa0c@h", "http://u:***@h"),  # spaces to Unicode
    ],
)
def test_passwords_in_unusual_places_are_masked(address: str, shown: str) -> None:
    assert masked(address) == shown
    assert has_password(address)


@pytest.mark.parametrize(
    "address",
    ["sqlite:////data/a:b@c/studies.db", "http://localhost:5000", "postgresql://u@h:5432/d", "10:30", "a@b.example"],
)
def test_text_without_a_password_does_not_change(address: str) -> None:
    assert masked(address) == address
    assert not has_password(address)


@pytest.mark.parametrize("sign", RESERVED)
def test_a_password_with_an_unencoded_reserved_character_is_detected(sign: str) -> None:
    assert needs_encoding(f"postgresql://u:p{sign}w@h/d")
    assert not needs_encoding("postgresql://u:p%40w@h:5432/d?x=1")
    assert not needs_encoding("postgresql://u@h:5432/d")
