"""What is said, and what is ended, when a process ends without a word."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from superconv_tune.core.processes import began

CODE = """
import os, signal, subprocess, sys, time
from superconv_tune.core.last_words import last_words
with last_words("nothing began") as say:
    if sys.argv[1] != "early":
        say("go on with --resume it")
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    print(left.pid, flush=True)
    if sys.argv[1] in ("killed", "abort"):
        time.sleep(6.0)
    if sys.argv[1] == "early":
        left.kill()
    if sys.argv[1] in ("killed", "early"):
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[1] == "abort":
        os._exit(1)
    left.kill()
    if sys.argv[1] == "error":
        raise ValueError("as usual")
"""


def ran(how: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("killed", -signal.SIGKILL, "go on with --resume it\n"),
        ("abort", 1, "go on with --resume it\n"),
        ("early", -signal.SIGKILL, "nothing began\n"),
        ("well", 0, ""),
    ],
)
def test_it_is_said_when_the_process_did_not_end_by_itself(how: str, code: int, words: str) -> None:
    started = time.monotonic()
    returned, left, said = ran(how)
    assert (returned, said) == (code, words)
    while began(int(left)):  # its files are closed a little before it is gone
        assert time.monotonic() - started < 25.0
        time.sleep(0.05)


def test_an_error_speaks_for_itself() -> None:
    code, _, said = ran("error")
    assert code == 1
    assert "as usual" in said
    assert "go on" not in said
