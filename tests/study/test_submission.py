"""What a submission checks on this machine before it asks the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from superconv_tune.cluster.jobs import Job, Jobs
from superconv_tune.core.errors import UserError
from superconv_tune.core.interruption import Interrupted
from superconv_tune.spec.load import load_spec
from superconv_tune.study.submission import LEFT, Submission, fetched, start


class Untouched(Jobs):
    """A cluster that is not to be asked."""

    def __init__(self) -> None:
        pass


def test_files_that_could_not_be_written_are_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = Submission(load_spec(None, {}), "mine", tmp_path, (), data_travel=False, options={})
    with pytest.raises(UserError, match=r"--output: .* cannot be written"):
        start(Untouched(), wanted, tmp_path / "file")
    with pytest.raises(UserError, match=r"--output: .* cannot be written"):
        fetched(Untouched(), "mine", tmp_path / "file")


class Interrupting(Jobs):
    """A cluster that takes every search, and whose user presses Ctrl-C while it is told of or while it is followed."""

    def __init__(self, *, before: bool) -> None:
        self._before = before

    def submit(self, study: str, bundle: Path, options: Mapping[str, str | bool]) -> str:
        if self._before:
            raise Interrupted
        return study

    def follow(self, study: str, write: Callable[[str], object]) -> Job:
        raise Interrupted


@pytest.mark.parametrize("before", [True, False])
def test_a_search_continues_only_once_it_was_submitted(before: bool, tmp_path: Path) -> None:
    wanted = Submission(load_spec(None, {}), "mine", tmp_path, (), data_travel=False, options={})
    with pytest.raises(Interrupted) as ended:
        start(Interrupting(before=before), wanted, tmp_path)
    assert str(ended.value) == ("" if before else LEFT)
