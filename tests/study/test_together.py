"""What several processes refuse before any of them begins."""

from __future__ import annotations

import io
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from superconv_tune.core.background import Background
from superconv_tune.core.errors import UserError
from superconv_tune.reporting.long_run_view import LongRunView
from superconv_tune.study.long_run import open_run, train
from superconv_tune.study.long_run_record import LongRunRecord
from superconv_tune.study.together import Together
from superconv_tune.study.trainer import trainer_of
from tests.study.test_long_run import written


@pytest.mark.parametrize(
    ("workers", "batch_size", "words"),
    [
        (3, 64, "a batch of 64 examples cannot be divided equally among 3 processes. Take 2, 4, 8, or another"),
        (2, 5000, "cannot be divided equally among 2 processes"),  # all 1,207 training examples are one batch
    ],
)
def test_a_batch_that_cannot_be_divided_is_refused(workers: int, batch_size: int, words: str, tmp_path: Path) -> None:
    recipe = written(tmp_path)
    recipe.write_text(recipe.read_text().replace("batch_size: 64", f"batch_size: {batch_size}"))
    run = open_run(recipe, 2.0, None, tmp_path / "run")
    view = LongRunView(Console(file=io.StringIO()), time.time, run.steps, run.steps_per_epoch)
    trainer = Together(workers, Background(nullcontext), is_local=True)
    with pytest.raises(UserError, match="--workers") as refused:
        train(run, LongRunRecord(recipe, "none"), view, trainer)
    assert words in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_one_process_needs_no_cluster() -> None:
    with pytest.raises(UserError, match="--address"), trainer_of(1, "auto"):
        pass
