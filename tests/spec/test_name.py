"""The names of studies."""

from __future__ import annotations

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.spec.name import MOST, refuse_name, timed_name


@pytest.mark.parametrize("name", ["../x", "a/b", "", "-rf", "a b", "a;b", "$(id)", ".hidden", "x" * 101, "a\n"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(UserError, match="--name"):
        refuse_name(name)


@pytest.mark.parametrize(
    "name", ["studies.db", "studies.db-wal", "studies.db.lock", "mlflow.db", "mlartifacts", "bundles"]
)
def test_a_name_of_a_file_of_ours_is_taken(name: str) -> None:
    with pytest.raises(UserError, match="lies beside the studies"):
        refuse_name(name)


@pytest.mark.parametrize("name", ["digits", "studies", "a.db", "_1", "x" * 100])
def test_other_names_are_free(name: str) -> None:
    refuse_name(name)


@pytest.mark.parametrize("of", ["digits", "x" * 100])
def test_a_name_made_of_the_time_is_one_too(of: str) -> None:
    name = timed_name(of, 1.7e9)
    refuse_name(name)
    assert len(name) <= MOST
    assert name != timed_name(of, 1.7e9 + 1.0)
