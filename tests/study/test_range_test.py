"""Options of the range test that are refused before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from superconv_tune.core.errors import UserError
from superconv_tune.lr.lr_range import HALF_LIFE_SHARE
from superconv_tune.spec.load import load_spec
from superconv_tune.study.range_test import Options, range_test

PLAIN = Options("probes", "exponential", None, None, 0, HALF_LIFE_SHARE, 3, None, edge=False)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (replace(PLAIN, rule="vally"), "valley"),
        (replace(PLAIN, low=1.0, high=0.1), "Swap them"),
        (replace(PLAIN, low=0.1), "go together"),
        (replace(PLAIN, high=0.1), "go together"),
        (replace(PLAIN, low=0.0, high=1.0), "--ramp linear"),
        (replace(PLAIN, steps=5), "cannot be read"),
    ],
)
def test_a_wrong_option_is_told_and_leaves_nothing(tmp_path: Path, options: Options, word: str) -> None:
    spec = load_spec(None, {"output": str(tmp_path / "runs"), "tracking_uri": "none"})
    with pytest.raises(UserError, match=word):
        range_test(spec, options, None, (1.0,), print)
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_taken_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    spec = load_spec(None, {"output": str(tmp_path), "tracking_uri": "none"})
    with pytest.raises(UserError, match="Choose another name"):
        range_test(spec, PLAIN, "mine", (1.0,), print)
