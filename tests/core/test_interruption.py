"""Three signals, one policy."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import pytest

from superconv_tune.core.interruption import SIGNALS, interruptible, interruptible_twice

NAMES = [signal.Signals(number).name for number in SIGNALS]


def strike(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_a_signal_interrupts_and_the_handlers_are_restored(number: int) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyboardInterrupt), interruptible():
        strike(number)
    assert [signal.getsignal(each) for each in SIGNALS] == before


@pytest.mark.parametrize("second", SIGNALS, ids=NAMES)
@pytest.mark.parametrize("first", SIGNALS, ids=NAMES)
def test_the_first_signal_is_answered_and_the_second_one_interrupts(first: int, second: int) -> None:
    answers: list[str] = []
    with interruptible(), interruptible_twice(lambda: answers.append("first")):
        strike(first)
        assert answers == ["first"]
        with pytest.raises(KeyboardInterrupt):
            strike(second)
    assert answers == ["first"]


def test_the_exit_code_is_the_commands_even_after_an_interrupted_import() -> None:
    code = (
        "import os, signal, sys\n"
        "from superconv_tune.core.interruption import interruptible\n"
        "try:\n    with interruptible():\n"
        "        exec('os.kill(os.getpid(), signal.SIGINT)')\n"
        "except KeyboardInterrupt:\n    sys.exit(130)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 130


def test_nohup_keeps_what_it_asks_for() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            strike(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_program_whose_terminal_was_closed_goes_on_printing_into_nothing() -> None:
    code = (
        "import sys, time\n"
        "from superconv_tune.core.interruption import interruptible_twice\n"
        "told = []\n"
        "with interruptible_twice(lambda: told.append(1)):\n"
        "    print('ready', flush=True)\n"
        "    while not told:\n        time.sleep(0.05)\n"
        "    print('nobody reads this', flush=True)\n"
        "sys.exit(7)\n"
    )
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    assert b"ready" in os.read(ours, 100)
    running.send_signal(signal.SIGHUP)
    os.close(ours)
    assert running.wait(30) == 7
