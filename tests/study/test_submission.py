"""What a submission checks on this machine before it asks the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from superconv_tune.cluster.jobs import Jobs
from superconv_tune.core.errors import UserError
from superconv_tune.spec.load import load_spec
from superconv_tune.study.submission import Submission, fetched, start


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
