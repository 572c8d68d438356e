"""What every sampler keeps to, whoever adds one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.proposer.optuna_samplers import START_TRIALS, contains
from superconv_tune.proposer.proposal import Proposed
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.proposer.samplers import SAMPLERS
from superconv_tune.record.trial import Status, TrialOutcome
from tests.proposer.blank import blank_storage

SPACE: SearchSpace = {
    "lr_multiplier": Interval(0.35, 2.0, log=True),
    "weight_decay": Interval(1e-6, 1e-2, log=True),
    "pct_start": Interval(0.1, 0.5),
    "batch_size": Choice((64, 128, 256)),
}
Judge = Callable[[Proposed], TrialOutcome]
MODELLED = START_TRIALS + 2  # trials, of which the last two are past every sampler's space-filling start


@contextmanager
def proposer(folder: Path, sampler: str, seed: int = 0, expected_trials: int = 100) -> Iterator[Proposer]:
    storage = blank_storage(folder / f"{sampler}-{seed}.db")
    made = Proposer(storage, "s", SPACE, "max", sampler, seed, expected_trials)
    try:
        yield made
    finally:
        made.close()


def outcome(status: Status, objective: float) -> TrialOutcome:
    return TrialOutcome("t", 1, status, objective)


def constant(_proposed: Proposed) -> TrialOutcome:
    return outcome("finished", 0.5)


def hopeless(_proposed: Proposed) -> TrialOutcome:
    return outcome("diverged", 0.1)


def mixed(proposed: Proposed) -> TrialOutcome:
    if proposed.params["lr_multiplier"] > 1.2:
        return hopeless(proposed)
    return outcome("finished", 0.9 - (proposed.params["pct_start"] - 0.3) ** 2)


def is_inside(proposed: Proposed) -> bool:
    drawn = proposed.params
    return drawn.keys() == SPACE.keys() and all(contains(SPACE[name], value) for name, value in drawn.items())


def draws(made: Proposer, count: int, judged: Judge = mixed) -> list[Proposed]:
    drawn = []
    for _ in range(count):
        drawn.append(made.ask("rung0"))
        assert is_inside(drawn[-1])
        made.tell(drawn[-1].proposal, judged(drawn[-1]))
    return drawn


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("judged", [constant, hopeless])
def test_whatever_came_back_trials_at_once_are_distinct_and_keep_what_is_fixed(
    tmp_path: Path, sampler: str, judged: Judge
) -> None:
    fixed = {"pct_start": 0.25, "batch_size": 128}
    with proposer(tmp_path, sampler) as made:
        draws(made, START_TRIALS, judged)
        running = [made.ask("rung0", fixed) for _ in range(4)]
    assert all(fixed.items() <= found.params.items() for found in running)
    assert all(is_inside(found) for found in running)
    assert len({(found.params["lr_multiplier"], found.params["weight_decay"]) for found in running}) == 4
    assert len({found.proposal for found in running}) == 4


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_seed_repeats_its_draws_even_across_a_new_driver(tmp_path: Path, sampler: str) -> None:
    (tmp_path / "whole").mkdir()
    with proposer(tmp_path / "whole", sampler) as made:
        whole = draws(made, MODELLED)
    with proposer(tmp_path, sampler) as made:
        first = draws(made, 3)
    with proposer(tmp_path, sampler) as made:
        rest = draws(made, MODELLED - 3)
    assert [*first, *rest] == whole
    assert len({tuple(sorted(found.params.items())) for found in whole}) == MODELLED


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_another_seed_draws_otherwise(tmp_path: Path, sampler: str) -> None:
    with proposer(tmp_path, sampler) as one, proposer(tmp_path, sampler, seed=1) as other:
        assert one.ask("rung0").params != other.ask("rung0").params


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_log_interval_is_drawn_evenly_over_its_decades(tmp_path: Path, sampler: str) -> None:
    with proposer(tmp_path, sampler) as made:
        # All asked before one comes back, so that no sampler has anything to aim at.
        low = [made.ask("rung0").params["weight_decay"] < 1e-4 for _ in range(16)]
    assert 3 <= sum(low) <= 13  # linear draws would give none
