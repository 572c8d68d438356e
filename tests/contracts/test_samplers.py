"""What every sampler keeps to, whoever adds one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.core.trial import Status, TrialOutcome
from superconv_tune.proposer.proposer import Proposal, Proposer
from superconv_tune.proposer.samplers import SAMPLERS, contains

SPACE: SearchSpace = {
    "lr_multiplier": Interval(0.35, 2.0, log=True),
    "weight_decay": Interval(1e-6, 1e-2, log=True),
    "pct_start": Interval(0.1, 0.5),
    "batch_size": Choice((64, 128, 256)),
}
MODELLED = 14  # trials after which every sampler is past its space-filling start


@contextmanager
def proposer(folder: Path, sampler: str, seed: int = 0, expected_trials: int = 100) -> Iterator[Proposer]:
    made = Proposer(f"sqlite:///{folder}/{sampler}-{seed}.db", "s", SPACE, "max", sampler, seed, expected_trials)
    try:
        yield made
    finally:
        made.close()


def outcome(status: Status, objective: float) -> TrialOutcome:
    return TrialOutcome("t", 1, status, objective)


def bowl(proposal: Proposal) -> TrialOutcome:
    return outcome("finished", 0.9 - (proposal.params["pct_start"] - 0.3) ** 2)


def constant(_proposal: Proposal) -> TrialOutcome:
    return outcome("finished", 0.5)


def hopeless(_proposal: Proposal) -> TrialOutcome:
    return outcome("diverged", 0.1)


def mixed(proposal: Proposal) -> TrialOutcome:
    return hopeless(proposal) if proposal.params["lr_multiplier"] > 1.2 else bowl(proposal)


def draws(made: Proposer, count: int, judged: object = bowl) -> list[Proposal]:
    proposals = []
    for _ in range(count):
        proposals.append(made.ask("rung0"))
        made.tell(proposals[-1], judged(proposals[-1]))  # type: ignore[operator]
    return proposals


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("judged", [bowl, constant, hopeless, mixed])
def test_whatever_comes_back_draws_stay_in_the_space(tmp_path: Path, sampler: str, judged: object) -> None:
    with proposer(tmp_path, sampler) as made:
        for proposal in draws(made, MODELLED, judged):
            assert proposal.params.keys() == SPACE.keys()
            assert all(contains(SPACE[name], value) for name, value in proposal.params.items())


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_seed_repeats_its_draws_and_another_does_not(tmp_path: Path, sampler: str) -> None:
    for copy in ("a", "b"):
        (tmp_path / copy).mkdir()
    with (
        proposer(tmp_path / "a", sampler) as one,
        proposer(tmp_path / "b", sampler) as again,
        proposer(tmp_path, sampler, seed=1) as other,
    ):
        found = [[proposal.params for proposal in draws(made, MODELLED)] for made in (one, again, other)]
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_new_driver_draws_what_the_old_one_would_have(tmp_path: Path, sampler: str) -> None:
    (tmp_path / "whole").mkdir()
    with proposer(tmp_path / "whole", sampler) as made:
        whole = draws(made, MODELLED)
    with proposer(tmp_path, sampler) as made:
        first = draws(made, 5)
    with proposer(tmp_path, sampler) as made:
        rest = draws(made, MODELLED - 5)
    assert [*first, *rest] == whole


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_trials_that_run_at_once_are_distinct(tmp_path: Path, sampler: str) -> None:
    with proposer(tmp_path, sampler) as made:
        draws(made, MODELLED)
        running = [made.ask("rung0") for _ in range(4)]
    assert len({tuple(sorted(proposal.params.items())) for proposal in running}) == 4
    assert len({proposal.number for proposal in running}) == 4


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_fixed_parameter_comes_back_and_the_others_are_drawn(tmp_path: Path, sampler: str) -> None:
    with proposer(tmp_path, sampler) as made:
        draws(made, MODELLED)
        found = [made.ask("rung0", {"pct_start": 0.25, "batch_size": 128}).params for _ in range(3)]
    assert all(params["pct_start"] == 0.25 and params["batch_size"] == 128 for params in found)
    assert len({params["lr_multiplier"] for params in found}) == 3


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_log_interval_is_drawn_evenly_over_its_decades(tmp_path: Path, sampler: str) -> None:
    with proposer(tmp_path, sampler) as made:
        # All asked before one comes back, so that no sampler has anything to aim at.
        low = [made.ask("rung0").params["weight_decay"] < 1e-4 for _ in range(32)]
    assert 8 <= sum(low) <= 24  # linear draws would give none
