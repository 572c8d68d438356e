"""Ray's questions to the conductor and Ray's answers to it, without a cluster."""

from __future__ import annotations

import json

import pytest

from superconv_tune.cluster.driver import Resources, concurrency
from superconv_tune.cluster.searcher import LONGEST_NAP_S, ConductedSearcher
from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import UserError
from superconv_tune.core.trial import Hyperparameters, TrialOutcome, TrialRequest
from superconv_tune.planner.ask import Signal

REQUEST = TrialRequest("0001-search", 1, "search", Hyperparameters(), 3, "one_cycle", 0, 10.0, 0.1)
OUTCOME = TrialOutcome("0001-search", 1, "finished", 0.9)


class Script:
    """A conductor that answers from a list, and keeps what it is told."""

    def __init__(self, *answers: TrialRequest | Signal) -> None:
        self.answers = list(answers)
        self.told: list[object] = []

    def next(self) -> TrialRequest | Signal:
        return self.answers.pop(0)

    def observe(self, outcome: TrialOutcome) -> None:
        self.told.append(outcome)

    def lost(self, trial_id: str, reason: str) -> None:
        self.told.append(trial_id)

    def should_stop(self) -> bool:
        return False


def test_a_request_travels_as_one_text_and_its_outcome_comes_back() -> None:
    searcher = ConductedSearcher(script := Script(REQUEST))
    config = searcher.suggest("ray1")
    assert isinstance(config, dict)
    assert decode(TrialRequest, json.loads(config["request"])) == REQUEST
    searcher.on_trial_complete("ray1", {"outcome": json.dumps(encode(OUTCOME)), "objective": 0.9})
    assert script.told == [OUTCOME]


@pytest.mark.parametrize(("result", "error"), [(None, False), ({"objective": 1.0}, False), (None, True)])
def test_a_trial_without_an_outcome_is_lost(result: dict[str, object] | None, error: bool) -> None:
    searcher = ConductedSearcher(script := Script(REQUEST))
    searcher.suggest("ray1")
    searcher.on_trial_complete("ray1", result, error)
    assert script.told == ["0001-search"]


def test_a_worker_that_waits_naps_ever_longer_and_its_nap_is_no_trial() -> None:
    searcher = ConductedSearcher(script := Script(*[Signal.WAIT] * 40, REQUEST, Signal.WAIT, Signal.DONE))
    naps = [searcher.suggest(f"nap{index}") for index in range(40)]
    seconds = [nap["nap_s"] for nap in naps if isinstance(nap, dict)]
    assert seconds == sorted(seconds)
    assert seconds[-1] == LONGEST_NAP_S
    searcher.suggest("ray1")
    after = searcher.suggest("nap40")
    assert isinstance(after, dict)
    assert after["nap_s"] < 2 * seconds[0]
    searcher.on_trial_complete("nap40", {"objective": 0.0})
    assert script.told == []
    assert searcher.suggest("end") == "FINISHED"


@pytest.mark.parametrize(
    ("available", "resources", "expected"),
    [
        ({"CPU": 2.0}, Resources(), 2),
        ({"CPU": 8.0}, Resources(cpus_per_trial=3.0), 2),
        ({"CPU": 8.0}, Resources(workers=3), 3),
        ({"CPU": 16.0, "GPU": 2.0}, Resources(gpus_per_trial=0.25), 8),
        ({"CPU": 4.0, "GPU": 2.0}, Resources(gpus_per_trial=1.0), 2),
    ],
)
def test_as_many_trials_run_as_fit(available: dict[str, float], resources: Resources, expected: int) -> None:
    assert concurrency(available, resources) == expected


@pytest.mark.parametrize("resources", [Resources(cpus_per_trial=4.0), Resources(gpus_per_trial=1.0)])
def test_a_trial_that_fits_nowhere_is_refused(resources: Resources) -> None:
    with pytest.raises(UserError, match="Ask for less"):
        concurrency({"CPU": 2.0}, resources)
