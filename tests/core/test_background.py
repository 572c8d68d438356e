from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from superconv_tune.core.background import Background


def test_one_thread_enters_and_leaves_beside_the_program() -> None:
    threads: list[threading.Thread] = []
    may_enter = threading.Event()

    @contextmanager
    def block() -> Iterator[str]:
        may_enter.wait(10)
        threads.append(threading.current_thread())
        yield "here"
        threads.append(threading.current_thread())

    with Background(block) as background:
        assert threads == []
        may_enter.set()
        assert background.wait() == background.wait() == "here"
        assert len(threads) == 1
    assert len(set(threads)) == 1
    assert len(threads) == 2
    assert threads[0] is not threading.main_thread()


def test_what_entering_raises_is_raised_where_it_is_waited_for_and_only_there() -> None:
    @contextmanager
    def block() -> Iterator[None]:
        raise ValueError("no")
        yield

    with Background(block):
        pass
    with Background(block) as background, pytest.raises(ValueError, match="no"):
        background.wait()


def test_an_error_beside_it_waits_until_it_has_left() -> None:
    left = []

    @contextmanager
    def block() -> Iterator[None]:
        yield
        left.append(True)

    with pytest.raises(ValueError, match="wrong input"), Background(block):
        raise ValueError("wrong input")
    assert left == [True]
