"""How a call ends that is interrupted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from superconv_tune.study import call
from superconv_tune.study.call import called


@contextmanager
def interrupted_at_its_end(_: str | None) -> Iterator[tuple[None, None]]:
    yield None, None
    raise KeyboardInterrupt


def test_an_interruption_while_ray_ends_does_not_undo_a_search_that_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "connecting", interrupted_at_its_end)
    with called(time.time(), None, debug=False) as made:
        ended = made.address
    assert ended is None


def test_an_interruption_before_that_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "connecting", interrupted_at_its_end)
    with pytest.raises(KeyboardInterrupt), called(time.time(), None, debug=False):
        raise KeyboardInterrupt
