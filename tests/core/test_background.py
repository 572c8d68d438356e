from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from superconv_tune.core.background import Background, OneByOne, within


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


def test_what_takes_too_long_is_left_alone() -> None:
    forever = threading.Event()
    assert within(10.0, lambda: "done", "late") == "done"
    began = time.monotonic()
    assert within(0.1, lambda: str(forever.wait()), "late") == "late"
    assert time.monotonic() - began < 5.0
    with pytest.raises(TimeoutError, match="its own"):
        within(10.0, lambda: raises(TimeoutError("its own")), None)
    forever.set()


def raises(error: Exception) -> None:
    raise error


def test_calls_are_made_in_order_and_an_error_is_the_callers() -> None:
    thread, made, may_go_on = OneByOne("calls"), list[int](), threading.Event()
    blocked = thread.submit(lambda: raises_unless(may_go_on.wait(10)))
    later = [thread.submit(lambda number=number: made.append(number)) for number in range(3)]  # type: ignore[misc]
    while thread.call_s == 0.0:
        time.sleep(0.01)
    assert made == []
    may_go_on.set()
    for done in later:
        done.result(10)
    assert made == [0, 1, 2]
    assert blocked.exception(10) is None
    with pytest.raises(ValueError, match="no"):
        thread.submit(lambda: raises(ValueError("no"))).result(10)


def raises_unless(is_right: bool) -> None:
    assert is_right


def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    code = (
        "import threading\nfrom superconv_tune.core.background import OneByOne\n"
        "OneByOne('calls').submit(lambda: threading.Event().wait())\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(("work", "code"), [("threading.Event().wait", 3), ("lambda: None", 0)])
def test_the_process_ends_at_once_only_if_bounded_work_goes_on(work: str, code: int) -> None:
    program = (
        "import atexit, sys, threading\nfrom superconv_tune.core.background import end_if_left, within\n"
        "atexit.register(lambda: print('cleaned up'))\n"
        f"within(0.2, {work}, None)\nprint('written')\nend_if_left(3)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (code, "written\n" + ("" if code else "cleaned up\n"))
