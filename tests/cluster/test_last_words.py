"""Why a worker ended, in the words of Ray 2.60; what real processes leave is in ``test_driver.py``.

From the trackers: ray-project/ray issues 18377, 42201 and 54580 ("the actor died unexpectedly", and no reason).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from superconv_tune.cluster.last_words import KILLED, MOST_CHARS, last_words
from superconv_tune.data.scratch import WITHIN

DIED = """The actor died unexpectedly before finishing this task.
\tclass_name: TrialActor
\tactor_id: f9888112651842f62a1d882b01000000
\tpid: 1106
\tnamespace: e7b16aca-c608-4c25-a889-0fd4218eb891
\tip: 127.0.0.1
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: """
GONE = f"{DIED}Worker unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) …"
RAISED = """The actor died because of an error raised in its creation task, ray::B.__init__() (pid=1298, ip=127.0.0.1)
  File "/home/me/mine.py", line 19, in task
    return np.load("points.npz")
           ^^^^^^^^^^^^^^^^^^^^^
superconv_tune.core.errors.UserError: factory mine.py:task failed: FileNotFoundError: points.npz.
and more"""
SEGMENTATION = """:job_id:01000000
:actor_name:TrialActor
loading
*** SIGSEGV received at time=1795843664 on cpu 1 ***
PC: @     0x7fa214d85ad8  (unknown)  (unknown)
Fatal Python error: Segmentation fault

Stack (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/me/mine.py", line 11 in forward
  File "/home/me/.venv/lib/python3.11/site-packages/torch/nn/modules/module.py", line 1751 in _call_impl
"""


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ray's folder of logs."""
    monkeypatch.setenv(WITHIN, str(tmp_path))
    folder = tmp_path / "ray" / "session_latest" / "logs"
    folder.mkdir(parents=True)
    return folder


def test_an_error_of_its_own_is_told_as_it_is() -> None:
    assert last_words(RAISED) == "factory mine.py:task failed: FileNotFoundError: points.npz."


def test_a_signal_comes_with_the_place_in_the_user_s_own_code(logs: Path) -> None:
    (logs / "worker-7d-01000000-1106.err").write_text(SEGMENTATION, encoding="utf-8")
    (logs / "worker-7e-01000000-1107.err").write_text("of another worker\n", encoding="utf-8")
    expected = "its process died: Segmentation fault (/home/me/mine.py, line 11); it wrote last: loading."
    assert last_words(GONE) == expected


def test_a_task_is_found_by_its_name(logs: Path) -> None:
    (logs / "worker-7c-01000000-1105.err").write_text(":task_name:other\nof another\n", encoding="utf-8")
    text = SEGMENTATION.replace(":actor_name:TrialActor", ":task_name:tried")
    (logs / "worker-7d-01000000-1106.err").write_text(text, encoding="utf-8")
    gone = "The worker died unexpectedly while executing this task. Check python-core-worker-*.log files."
    assert "Segmentation fault (/home/me/mine.py, line 11)" in last_words(gone, "tried")
    assert last_words(gone, "never") == f"its process died: {KILLED}."


def test_a_process_that_was_killed_tells_the_last_that_it_wrote(logs: Path) -> None:
    lines = ":job_id:01000000\n" + "".join(f"line {number}\n" for number in range(9)) + "\n"
    (logs / "worker-7d-01000000-1106.err").write_text(lines, encoding="utf-8")
    assert last_words(GONE) == f"its process died: {KILLED}; it wrote last: line 6 / line 7 / line 8."


def test_what_ray_knows_is_kept() -> None:
    detail = "Worker exits unexpectedly. Worker exits with an exit code 1. The process receives a SIGTERM."
    assert last_words(DIED + detail).endswith("The process receives a SIGTERM.")


@pytest.mark.parametrize("error", ["", "x", GONE])
def test_without_any_reason_there_is_a_sentence_anyway(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WITHIN, raising=False)
    assert last_words(error) == f"its process died: {KILLED}."


def test_it_stays_short_and_has_no_password(logs: Path) -> None:
    text = f"{'x' * 2000}\n\x1b[31mpostgresql://me:secret@host/db\n"
    (logs / "worker-7d-01000000-1106.err").write_text(text, encoding="utf-8")
    assert len(last_words(GONE)) <= MOST_CHARS + 1
    (logs / "worker-7d-01000000-1106.err").write_text(text[2000:], encoding="utf-8")
    assert "secret" not in last_words(GONE)
