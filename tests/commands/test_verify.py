"""What ``verify`` has said by the time that its disk is full."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from superconv_tune.commands.verify import app
from superconv_tune.study.verification import Agreement


class OnAFullDisk:
    """A study that is repeated to the digit, and whose folder takes no more files."""

    metric = "accuracy"

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def repetitions(self, _: int) -> Iterator[Any]:
        return iter(())

    def judge(self, _: list[Any]) -> Agreement:
        return Agreement("accuracy", (0.9, 0.9), (0.9, 0.9), 0.0, 0.0, 0.0, 0.0, agrees=True)

    def write(self, _: Agreement) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_was_found_is_said_though_it_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superconv_tune.study.verification.Verification", OnAFullDisk)
    done = CliRunner().invoke(app, ["mine"])
    assert done.exit_code == 2
    assert "AGREES" in done.output
    assert "error: No space left on device." in done.output
