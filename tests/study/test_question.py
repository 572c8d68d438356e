"""A question that was tried out, with its groups on their way into the journal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from superconv_tune.core.bits import unpack_numbers
from superconv_tune.spec.load import load_spec
from superconv_tune.study.question import ready


@pytest.mark.parametrize("model", [{}, {"model": "mlp"}, {"model": "linear"}], ids=str)
def test_the_groups_of_the_test_items_are_recorded(tmp_path: Path, model: dict[str, str]) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=600), "person": np.arange(600) // 10, "label": np.arange(600) % 2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    content = {"name": "t", "data": {"format": "table", "path": "t.csv"}, "split": {"group": "person"}} | model
    (tmp_path / "s.json").write_text(json.dumps(content), encoding="utf-8")
    question = ready(load_spec(tmp_path / "s.json", {}))
    card, arrays = question.card, question.payload.arrays
    assert (card.train_groups, card.validation_groups, card.test_groups) == (42, 9, 9)
    assert "Groups that stay together: 42 in the training part" in card.notes[-1]
    assert arrays is not None
    assert arrays.test.groups is not None
    np.testing.assert_array_equal(unpack_numbers(question.test_groups), arrays.test.groups)
    assert question.spec.split.group == "person"
