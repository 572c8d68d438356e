"""Promotions from the rung below, and the batch sizes of the lowest rung."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval
from superconv_tune.planner.rungs import JITTER
from superconv_tune.record.events import Requested
from superconv_tune.record.purpose import FromProposer, Probe, Promoted
from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialRequest
from tests.planner.hours import hour
from tests.simulated import SPACE, World, brief


@pytest.mark.parametrize("sizes", [(64.0, 128.0, 256.0), (32.0, 64.0), (128.0,)])
def test_every_batch_size_is_tried_before_the_first_draw(sizes: tuple[float, ...]) -> None:
    how = brief(None, space={**SPACE, "batch_size": Choice(sizes)})
    conductor, _ = hour(World(step_s=0.01), budget_s=1200.0, how=how)
    lowest = list(conductor.study.asked("search", 0).values())
    probes = list(conductor.study.asked_for(Probe).values())
    assert lowest[: len(probes)] == probes
    others = sorted(set(sizes) - {128.0})
    assert {request.params.batch_size for request in probes} == {128}
    chosen = lowest[len(probes) : len(probes) + len(others)]
    assert [request.params.batch_size for request in chosen] == others
    assert all(request.params.lr_multiplier == 1.0 and request.params.weight_decay == 5e-4 for request in chosen)
    by_size = {request.params.batch_size: request.pick_lr for request in chosen}
    if len(others) == 2:
        low, high = (by_size[int(size)] for size in others)
        assert low is not None
        assert high == pytest.approx(low * (others[1] / others[0]) ** 0.5)
    drawn = lowest[len(probes) + len(others) :]
    assert len({request.params.weight_decay for request in drawn}) == len(drawn) > 0


@pytest.mark.parametrize(("longest", "is_capped"), [(13.0, True), (30.0, False)])
def test_every_batch_size_is_tried_even_if_probes_fill_the_rung_when_cycles_cannot_be_longer(
    longest: float, is_capped: bool
) -> None:
    """Otherwise these trials, and more expensive epochs, would cost cycle length."""
    space = {**SPACE, "cycle_epochs": Interval(1.0, longest, log=True)}
    conductor, _ = hour(World(step_s=0.01, best_size=64), budget_s=110.0, how=brief(None, space=space))
    study = conductor.study
    assert study.plan is not None
    assert (study.plan.rungs[-1].epochs == longest) == is_capped
    lowest = list(study.asked("search", 0).values())
    assert len(study.asked_for(Probe)) >= study.plan.rungs[0].width
    assert {request.params.batch_size for request in lowest} == ({64, 128, 256} if is_capped else {128})


def same(parent: Hyperparameters, child: Hyperparameters) -> bool:
    """Whether only length and learning rate may differ."""
    return parent == replace(child, cycle_epochs=parent.cycle_epochs, lr_multiplier=parent.lr_multiplier)


def test_a_promoted_configuration_keeps_its_multiplier_whatever_its_batch_size() -> None:
    """The pick of its rung already depends on the batch size; only the jitter may change the rate."""
    conductor, _ = hour(World(step_s=0.03), budget_s=1800.0, how=brief(None))
    moves = []
    for request in conductor.study.asked_for(Promoted).values():
        assert isinstance(request.purpose, Promoted)
        child, parent = request.params, conductor.study.requests[request.purpose.parent]
        assert parent.rung == request.rung - 1
        assert same(parent.params, child)
        is_drawn = isinstance(parent.purpose, FromProposer)  # the pick of a probe is its own rate
        if is_drawn and child.batch_size != 128 and 0.36 < child.lr_multiplier < 1.95:  # not cut by its range
            moves.append(child.lr_multiplier / parent.params.lr_multiplier)
    assert len(moves) >= 3
    assert all(any(move == pytest.approx(jitter) for jitter in JITTER) for move in moves)


@pytest.mark.parametrize("budget_s", [200.0, 900.0, 1800.0])
def test_only_likely_best_configurations_are_promoted_and_none_twice(budget_s: float) -> None:
    conductor, _ = hour(World(step_s=0.02, best_size=64), budget_s=budget_s, how=brief(None))
    known = Study(conductor.study.opened)
    taken: list[TrialRequest] = []
    for event in conductor.events[1:]:
        if isinstance(event, Requested) and isinstance(event.request.purpose, Promoted):
            child, origin = event.request, known.trial(event.request.purpose.parent)
            below = [t for t in known.trials("search") if t.request.rung == child.rung - 1]
            assert origin in below
            assert same(origin.request.params, child.params)
            best = max(trial.value for trial in below)
            parent = origin.value
            assert best - parent <= 2.0 * (2.0 * best * (1.0 - best) / 2_000) ** 0.5
            twins = [t for t in taken if t.rung == child.rung and same(t.params, child.params)]
            apart = [t.params.lr_multiplier / child.params.lr_multiplier for t in twins]
            assert all(ratio > 1.1 or ratio < 0.91 for ratio in apart)
            taken.append(child)
        known.apply(event)
    assert len(taken) >= 3


def test_a_clearly_best_configuration_is_promoted_with_several_learning_rates() -> None:
    conductor, _ = hour(World(step_s=0.01, best_size=64), budget_s=200.0, how=brief(None))
    middle = [r for r in conductor.study.asked("search", 1).values() if isinstance(r.purpose, FromProposer)]
    assert {request.params.batch_size for request in middle[:2]} == {64}
    first, second = (request.params.lr_multiplier for request in middle[:2])
    assert second == pytest.approx(first * JITTER[1])
