"""Ray's questions to the conductor and Ray's answers to it, without a cluster."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from superconv_tune.cluster.searcher import LONGEST_NAP_S, ConductedSearcher, EndNow
from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import StorageError
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.conductor import Signal
from superconv_tune.record.purpose import Probe
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest

REQUEST = TrialRequest(
    "0001-search",
    1,
    Probe(0.1),
    Cycle(0.1),
    params=Hyperparameters(),
    schedule=Schedule(),
    seed=3,
    deadline=10.0,
    rung=0,
)
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

    def resized(self, workers: int) -> None:
        self.workers = workers

    def should_stop(self) -> bool:
        return False


class Places:
    """So many slots, until a test says otherwise."""

    def __init__(self, slots: int = 100) -> None:
        self.slots = slots

    def count(self, held: int) -> int:
        return self.slots


def test_a_request_travels_as_one_text_and_its_outcome_comes_back() -> None:
    searcher = ConductedSearcher(script := Script(REQUEST), Places())
    config = searcher.suggest("ray1")
    assert isinstance(config, dict)
    assert decode(TrialRequest, json.loads(config["request"])) == REQUEST
    searcher.on_trial_complete("ray1", {"outcome": json.dumps(encode(OUTCOME)), "objective": 0.9})
    assert script.told == [OUTCOME]


@pytest.mark.parametrize(("result", "error"), [(None, False), ({"objective": 1.0}, False), (None, True)])
def test_a_trial_without_an_outcome_is_lost(result: dict[str, object] | None, error: bool) -> None:
    searcher = ConductedSearcher(script := Script(REQUEST), Places())
    searcher.suggest("ray1")
    searcher.on_trial_complete("ray1", result, error)
    assert script.told == ["0001-search"]


def test_a_worker_that_waits_naps_ever_longer_and_its_nap_is_no_trial() -> None:
    searcher = ConductedSearcher(script := Script(*[Signal.WAIT] * 40, REQUEST, Signal.WAIT, Signal.DONE), Places())
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


def test_what_the_conductor_cannot_store_ends_the_search_and_is_not_swallowed_by_tune() -> None:
    class Full(Script):
        def next(self) -> TrialRequest | Signal:
            raise StorageError("the disk is full")

        def observe(self, outcome: TrialOutcome) -> None:
            raise StorageError("the disk is full")

    with pytest.raises(EndNow) as ended:
        ConductedSearcher(Full(), Places()).suggest("ray1")
    assert isinstance(ended.value.__cause__, StorageError)
    searcher = ConductedSearcher(Full(), Places())
    searcher._names["ray1"] = "0001-search"
    with pytest.raises(EndNow):
        searcher.on_trial_complete("ray1", {"outcome": json.dumps(encode(OUTCOME))})


def test_a_search_that_has_to_make_room_ends_a_worker_when_it_is_through_with_its_trial() -> None:
    requests = [replace(REQUEST, trial_id=f"{number:04d}-search") for number in range(4)]
    searcher = ConductedSearcher(script := Script(*requests), places := Places(2))
    assert all("request" in (searcher.suggest(name) or "") for name in ("ray0", "ray1"))
    assert searcher.suggest("ray2") is None
    places.slots = 1  # another search came
    assert searcher.suggest("ray2") is None
    assert script.workers == 1
    searcher.on_trial_complete("ray0", {"outcome": json.dumps(encode(replace(OUTCOME, trial_id="0000-search")))})
    assert searcher.suggest("ray2") == {"leave": True}
    assert searcher.suggest("ray3") is None
    searcher.on_trial_complete("ray2", None, error=True)
    assert searcher.suggest("ray3") is None
    places.slots = 2  # and ended
    assert "request" in (searcher.suggest("ray3") or "")
    searcher.on_trial_complete("ray1", None, error=True)  # a worker that dies is no worker any more
    assert "request" in (searcher.suggest("ray4") or "")
    assert script.told[1:] == ["0001-search"]
