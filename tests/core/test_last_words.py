"""What is said, and what is ended, when a process ends without a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from superconv_tune.core.last_words import MARK, marked

CODE = """
import os, signal, subprocess, sys, time
from superconv_tune.core.last_words import last_words
with last_words("nothing began") as say:
    if sys.argv[1] != "early":
        say("go on with --resume it")
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    print(os.environ["SUPERCONV_TUNE_DRIVER"], flush=True)
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
    began = time.monotonic()
    returned, mark, said = ran(how)
    assert (returned, said) == (code, words)
    assert marked(mark) == []
    assert time.monotonic() - began < 20.0


def test_an_error_speaks_for_itself() -> None:
    code, _, said = ran("error")
    assert code == 1
    assert "as usual" in said
    assert "go on" not in said


def test_only_processes_with_the_mark_are_found() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env=os.environ | {MARK: "here"}
    ) as other:
        try:
            end = time.monotonic() + 10.0
            while marked("here") != [other.pid] and time.monotonic() < end:
                time.sleep(0.05)
            assert marked("here") == [other.pid]
            assert marked("elsewhere") == []
        finally:
            other.kill()
