"""Which configuration of the longest cycles is confirmed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.record.events import Observed, Requested
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Status, TrialOutcome, TrialRequest
from superconv_tune.verdict.ladder import contenders, winner
from tests.simulated import opened

ITEMS = 1_000


def study_of(*trials: tuple[float, float, Status], rung: int = 1, study: Study | None = None) -> Study:
    """A study with search trials of one rung: peak, validation value, status."""
    study = study or Study(opened(600.0, 2))
    for max_lr, value, status in trials:
        number = len(study.requests)
        params = Hyperparameters(cycle_epochs=10.0 ** (rung + 1))
        request = TrialRequest(f"{number:04d}", 1, "search", params, number, "one_cycle", rung, 1e9, max_lr)
        validation = value if status == "finished" else None
        outcome = TrialOutcome(request.trial_id, 1, status, value, validation=validation, max_lr=max_lr)
        study.apply(Requested(0.0, request))
        study.apply(Observed(0.0, outcome))
    return study


def finished(*trials: tuple[float, float]) -> list[tuple[float, float, Status]]:
    return [(max_lr, value, "finished") for max_lr, value in trials]


def peaks(study: Study, items: int | None = ITEMS, direction: str = "max") -> list[float]:
    return [each.key[1] or 0.0 for each in contenders(study, direction, items)]


def chosen(study: Study, items: int | None = ITEMS, direction: str = "max") -> float | None:
    found = winner(study, direction, items)
    return None if found is None else found[1].max_lr


def test_without_a_whole_cycle_there_is_no_winner() -> None:
    assert chosen(study_of()) is None
    assert chosen(study_of((0.1, 0.1, "diverged"))) is None


def test_of_single_trials_the_best_wins() -> None:
    assert chosen(study_of(*finished((0.1, 0.90), (0.2, 0.95), (0.3, 0.94)))) == 0.2
    assert chosen(study_of(*finished((0.1, 0.90), (0.2, 0.95))), direction="min") == 0.1


def test_a_lucky_trial_loses_to_one_that_did_nearly_as_well_twice() -> None:
    study = study_of(*finished((0.1, 0.952), (0.2, 0.950), (0.2, 0.951), (0.2, 0.951)))
    assert chosen(study) == 0.2
    assert len(contenders(study, "max", ITEMS)[0].trials) == 3


def test_a_second_seed_that_disappoints_counts() -> None:
    assert chosen(study_of(*finished((0.1, 0.96), (0.2, 0.95), (0.1, 0.92)))) == 0.2


@pytest.mark.parametrize(("second", "among"), [(0.945, [0.1, 0.2]), (0.90, [0.1])])
def test_only_what_the_noise_of_the_items_leaves_open_contends(second: float, among: Sequence[float]) -> None:
    assert peaks(study_of(*finished((0.1, 0.95), (0.2, second)))) == among


def test_where_items_are_not_counted_the_best_mean_wins_alone() -> None:
    study = study_of(*finished((0.1, 0.30), (0.2, 0.31), (0.1, 0.33)))
    assert peaks(study, items=None, direction="min") == [0.2]


def test_a_configuration_of_which_a_seed_diverged_is_left_out_unless_all_did() -> None:
    shaky = [*finished((0.4, 0.97)), (0.4, 0.1, "diverged")]
    assert chosen(study_of(*shaky, *finished((0.2, 0.95)))) == 0.2
    assert chosen(study_of(*shaky)) == 0.4


def test_a_shorter_cycle_wins_only_past_the_interval_of_the_longest() -> None:
    for shorter, expected in ((0.955, 0.2), (0.99, 0.1)):
        study = study_of(*finished((0.1, shorter)), rung=0)
        assert chosen(study_of(*finished((0.2, 0.95)), rung=1, study=study)) == expected
