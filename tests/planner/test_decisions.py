"""Simulated searches ask for exactly what they asked for when they were recorded."""

from __future__ import annotations

import json

import pytest

from tests.decisions import SEARCHES, read, replayed

RECORDED = read()

pytestmark = pytest.mark.no_cover  # whole searches, which tracing makes three times slower


def test_every_search_is_recorded() -> None:
    assert len(RECORDED) == SEARCHES


@pytest.mark.parametrize("number", range(SEARCHES))
def test_a_search_asks_for_what_it_asked_for_before(number: int) -> None:
    found, before = json.loads(json.dumps(replayed(number))), RECORDED[number]
    assert found["question"] == before["question"]
    assert found["plans"] == before["plans"]
    for asked, recorded in zip(found["requests"], before["requests"], strict=False):
        assert asked == recorded
    assert found == before
