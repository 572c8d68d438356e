from __future__ import annotations

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.data.options import options

KNOWN = {"count": 5, "scale": 0.5, "shuffle": False, "kind": ("auto", "hard")}


def test_what_is_left_out_has_its_default() -> None:
    assert options("f", {}, KNOWN) == {"count": 5, "scale": 0.5, "shuffle": False, "kind": "auto"}
    given = {"count": 0, "scale": 2, "shuffle": True, "kind": "hard"}
    assert options("f", given, KNOWN) == given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 1.0),
        ("count", -1),
        ("count", True),
        ("count", "5"),
        ("scale", float("inf")),
        ("scale", float("nan")),
        ("scale", None),
        ("shuffle", 1),
        ("kind", "easy"),
        ("kind", []),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: object) -> None:
    with pytest.raises(UserError, match=f"{name} of f is"):
        options("f", {name: value}, KNOWN)


def test_a_number_may_be_a_name() -> None:
    """YAML reads `label: 8` as a number; the option says the same as text."""
    known = {"label": "", "ignore": [], "header": ("auto", True, False)}
    assert options("f", {"label": 8, "ignore": [3, "a"]}, known) == {
        "label": "8",
        "ignore": ["3", "a"],
        "header": "auto",
    }
    assert options("f", {"header": False}, known)["header"] is False


@pytest.mark.parametrize("given", [{"label": False}, {"ignore": [True]}])
def test_words_that_yaml_reads_as_truth_values_are_to_be_quoted(given: dict[str, object]) -> None:
    with pytest.raises(UserError, match="write yes, no, on and off in quotes"):
        options("f", given, {"label": "", "ignore": []})


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as raised:
        options("f", {"cuont": 1, "scale": "x", "kind": 3}, KNOWN)
    assert len(raised.value.messages) == 3
