from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.secrets import Address
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import Probe, Purpose, RangeTest
from superconv_tune.record.trial import Cycle, Ramps, TrialOutcome, TrialRequest
from superconv_tune.tracking.handle import StudyHandle, Subject
from superconv_tune.tracking.notes import NOTE_CHARS, PURPOSES, parent_note, trial_note
from superconv_tune.tracking.views import charts_link, run_link

HANDLE = StudyHandle(Address("sqlite:///x.db"), "7", "ab12", Subject("rmse", higher_is_better=False))
REQUEST = TrialRequest(
    "s-1", 1, Probe(0.05), Cycle(0.05), params=Hyperparameters(), schedule=Schedule(), seed=7, deadline=2e9
)


@pytest.mark.parametrize("purpose", get_args(Purpose))
def test_every_purpose_has_words(purpose: type[Purpose]) -> None:
    assert purpose.name in PURPOSES


def test_a_trial_says_how_it_ended_and_shows_the_figures_that_it_has() -> None:
    outcome = TrialOutcome("s-1", 1, "diverged", 9.0, max_lr=0.05, epochs=3.0, validation=1.25)
    note = trial_note(HANDLE, "cd34", REQUEST, outcome, ["cycle"])
    assert note.startswith(
        "Short cycle at one rate of the grid: diverged, 3 epochs, max_lr 0.05, rmse 1.25 on the validation part."
    )
    assert "![cycle.png](get-artifact?path=cycle.png&run_uuid=cd34)" in note
    assert "range_test.png" not in note
    assert charts_link(HANDLE) in note
    assert run_link(HANDLE, "ab12") in note


def test_ramps_have_no_length_in_epochs() -> None:
    request = replace(REQUEST, purpose=RangeTest(), work=Ramps(1e-4, 1.0))
    note = trial_note(HANDLE, "cd34", request, TrialOutcome("s-1", 1, "finished", 9.0), ["range_test"])
    assert note.startswith("Learning-rate range test: finished.")


def test_a_long_text_leaves_the_links_and_fits_into_a_tag() -> None:
    note = parent_note(HANDLE, "word " * 5000, ["report.html", "notes.txt"])
    assert len(note) == NOTE_CHARS
    assert run_link(HANDLE, "ab12", "report.html") in note
    assert "notes.txt" not in note
