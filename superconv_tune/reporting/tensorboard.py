"""The curves of a study as TensorBoard's event files; the only module that knows tensorboardX."""

from __future__ import annotations

import shutil
from pathlib import Path

from tensorboardX import SummaryWriter

from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialOutcome

SERIES = ("loss", "lr", "momentum")


def write_events(study: Study, folder: Path) -> None:
    """Write a run for each trial that has ended, with the curves that the journal keeps; replaces the folder.

    Raises:
        OSError: if the folder cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for trial_id, outcome in study.outcomes.items():
        with SummaryWriter(str(folder / trial_id)) as writer:
            _write_trial(writer, outcome, study.asked_at[trial_id])


def _write_trial(writer: SummaryWriter, outcome: TrialOutcome, began_at: float) -> None:
    for phase, curve in (("range_test", outcome.range_curve), ("cycle", outcome.cycle_curve)):
        if curve is None:
            continue
        for row in range(len(curve)):
            at = began_at + curve.elapsed_s[row]
            for name in SERIES:
                writer.add_scalar(f"{phase}/{name}", getattr(curve, name)[row], int(curve.step[row]), at)
    for part, value in (("validation", outcome.validation), ("test", outcome.test)):
        if value is not None:
            writer.add_scalar(f"end/{part}", value, outcome.steps, began_at + outcome.wall_s)
