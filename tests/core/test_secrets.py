"""Addresses that do not show their password, and the masking of secrets in text."""

from __future__ import annotations

import base64
import json
import pickle
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import WHOLE_WORD_BELOW, Address, masked, remember

PRINTABLE = st.text(st.characters().filter(str.isprintable), min_size=1)
PLACES = (
    "postgresql+psycopg://anna:{}@db.example:5432/studies?sslmode=require",
    "postgresql://anna@server:{}@db.example/studies",
    "https://:{}@mlflow.example",
    "postgresql://db.example/studies?user=anna&password={}&sslmode=require",
)
WRITTEN_OTHERWISE = (
    "https://{}@mlflow.example",
    "postgresql://anna:{}",
    "anna:{}@db.example/studies",
    "postgresql://db.example/studies?sslpassword={}",
    "https://mlflow.example/?access_token={}",
)
UNUSUAL = (
    "p@ss/word?x#y",
    "two words",
    'it\'s "quoted"',
    "http://other:word",
    "p&password=q",
    "100%",
    "50%41",
    "a/b",
    ":",
    "a=b==",
)


def survivors(secret: str, template: str, written: str) -> list[str]:
    """Three-character pieces of the secret that are still in the masked text, but not in the rest of the address."""
    rest = template.replace("{}", "***")
    pieces = {secret[start : start + 3] for start in range(len(secret) - 2)}
    return [piece for piece in pieces if piece in written and piece not in rest]


def is_told_by(secret: str, text: str, rest: str) -> bool:
    """Whether the secret is in the text, other than where the text has it for its own reasons."""
    return secret in text and secret not in rest


@given(PRINTABLE)
@example("p@ss/word?x#y")
@example("two words")
@example('it\'s "quoted"')
@example("http://other:word")
@example("p&password=q")
@pytest.mark.parametrize("address", PLACES)
def test_nothing_of_a_password_is_left_in_an_address_that_nobody_took_apart(address: str, secret: str) -> None:
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


@given(PRINTABLE.filter(lambda secret: "@" not in secret))
def test_the_rest_of_an_address_stays(secret: str) -> None:
    shown = "postgresql+psycopg://anna:***@db.example:5432/studies?sslmode=require"
    address = shown.replace("***", secret)
    assert masked(address) == shown
    assert masked(f"cannot reach ({address}), try again") == f"cannot reach ({shown}), try again"


@given(st.one_of(PRINTABLE, st.sampled_from(UNUSUAL)))
@pytest.mark.parametrize("template", [*PLACES, *WRITTEN_OTHERWISE])
def test_an_address_as_people_write_it_is_refused_or_shows_nothing_of_its_password(template: str, secret: str) -> None:
    # A port, a host, and a user with a password: nobody can tell them from what these templates are about.
    assume(not (template == "postgresql://anna:{}" and (secret.isdecimal() or "@" in secret)))
    assume(not (template == "https://{}@mlflow.example" and ":" in secret))
    rest = template.replace("{}", "***")
    address, refusal = made(template.replace("{}", secret))
    if address is None:
        assert refusal in REFUSALS
        return
    assert address.reveal() == template.replace("{}", secret)
    for text in (str(address), repr(address), f"{address}", address.shown):
        assert not survivors(secret, rest, text)
    assert address.has_secret or not set(secret) - set("*")


def made(text: str) -> tuple[Address | None, str]:
    """The address, or why it is refused."""
    try:
        return Address(text), ""
    except ValueError as error:
        return None, str(error)


REFUSALS = {  # these and no others: not one of them repeats a part of the address
    made(text)[1]
    for text in ("postgresql://u:p@w@h/d", "u:p@h/d", "postgresql://u:pw", "postgresql://h/d?password=a&b")
}


@given(st.one_of(PRINTABLE, st.sampled_from(UNUSUAL)))
@example("/")
@example("%")
@example("h")
def test_a_password_that_is_written_as_it_has_to_be_is_masked_wherever_it_appears(secret: str) -> None:
    for code in (lambda text: quote(text, safe=""), quote_plus):
        address = Address(f"postgresql://anna:{code(secret)}@db.example/studies")
        assert address.shown == "postgresql://anna:***@db.example/studies"
    basic = base64.b64encode(f"anna:{secret}".encode()).decode()
    forms = (secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1], basic)
    for form in forms if set(secret) - set("*") else ():
        for template in ("[{}]", "<< {} >>", "a line\n'{}'\nanother"):
            assert not is_told_by(form, masked(template.replace("{}", form)), template.replace("{}", "***"))


def test_short_secrets_are_masked_as_whole_words_and_long_ones_everywhere() -> None:
    long = "k" * WHOLE_WORD_BELOW
    remember(["postgres", long])
    assert masked("postgres at postgresql://h/d") == "*** at postgresql://h/d"
    assert masked(f"x{long}x") == "x***x"


def test_what_is_no_secret_is_not_masked() -> None:
    remember(["", "***"])
    assert masked("a text") == "a text"


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


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:////data/a:b@c/studies.db",
        "sqlite:///C:/studies.db",
        "http://localhost:5000",
        "http://[::1]:5000/x",
        "postgresql://u@h:5432/d",
        "postgresql://h1:5432,h2:5433/d",
        "databricks://profile",
        "none",
    ],
)
def test_an_address_without_a_password_does_not_change(address: str) -> None:
    assert masked(address) == address
    assert Address(address).shown == address
    assert not Address(address).has_secret


@pytest.mark.parametrize("text", ["10:30", "a@b.example"])
def test_text_without_a_password_does_not_change(text: str) -> None:
    assert masked(text) == text


def test_a_user_of_a_web_server_without_a_password_is_a_token() -> None:
    assert str(Address("https://dapi0123@mlflow.example")) == "https://***@mlflow.example"
    assert str(Address("postgresql://anna@h/d")) == "postgresql://anna@h/d"


@pytest.mark.parametrize("sign", "@/?#")
def test_a_password_with_an_unencoded_reserved_character_is_refused(sign: str) -> None:
    with pytest.raises(UserError, match=r"storage: holds a character.*percent-encoded") as refused:
        Address.of(f"postgresql://u:first{sign}second@h/d", "storage")
    assert not {"first", "second"} & set(str(refused.value).replace("'", " ").split())


def test_an_address_is_stored_nowhere_by_accident_and_known_to_the_process_that_unpacks_it() -> None:
    address = Address("postgresql://u:a-long-password@h/d")
    with pytest.raises(TypeError):
        json.dumps({"storage": address})
    remember([])
    again = pickle.loads(pickle.dumps(address))
    assert again == address
    assert hash(again) == hash(address)
    assert again != Address("postgresql://u:another-password@h/d")
    assert masked("a-long-password") == "***"
