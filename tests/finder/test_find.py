"""The procedure, on four clouds that are learned in a second."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import groupby

import numpy as np
import pytest
import torch

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.finder.find import RULE_OF_PROBES, FinderPlan, find
from superconv_tune.finder.finding import LENGTHS, Finding
from superconv_tune.lr.lr_range import RAMPS, Ramp, Refusal, analyse, compared, split_ramps
from superconv_tune.lr.pick_rules import PICK_RULES
from superconv_tune.lr.rate_grid import FALLBACK_LR, GRID_FACTOR, MOST_WIDENINGS
from superconv_tune.lr.schedule import schedule_from
from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import Cycle, Ramps, TrialRequest
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker
from tests.fakes import FakeClock, HookedSource, MemoryTracker, TensorPart, TensorSource, toy_problem

PARAMS = Hyperparameters(batch_size=32)
PLAN = FinderPlan(params=PARAMS, replicates=2, probe_seeds=1, probe_epochs=2.0)
SHORT = replace(PLAN, replicates=1, interval=(1e-4, 10.0), steps=80)


def look(plan: FinderPlan, problem: Problem | None = None) -> tuple[Finding, MemoryTracker]:
    tracker = MemoryTracker()
    return find(problem or toy_problem(), plan, tracker, FakeClock()), tracker


@cache
def usual() -> tuple[Finding, MemoryTracker]:
    return look(PLAN)


def requests(tracker: MemoryTracker, kind: str) -> list[TrialRequest]:
    return [request for request in tracker.requests if request.kind == kind]


def test_a_range_test_is_ramps_then_probes_and_every_one_a_trial_of_its_own() -> None:
    found, tracker = usual()
    kinds = [kind for kind, _ in groupby(request.kind for request in tracker.requests)]
    assert kinds == ["range_test", "search"]
    assert len(requests(tracker, "range_test")) == 2
    assert len(requests(tracker, "search")) == len(found.probes)
    assert len({request.trial_id for request in tracker.requests}) == len(tracker.requests)
    assert found.steps == sum(len(block) for _, block in tracker.blocks)
    assert (found.refusal, found.probe_epochs) == (None, 2.0)


def test_its_pick_trains_about_as_well_as_the_best_of_its_grid() -> None:
    found, _ = usual()
    request = replace(usual()[1].requests[-1], work=Cycle(found.max_lr(2.0)), seed=123)
    outcome = run(request, toy_problem(), NullTracker(), FakeClock())
    losses = [probe.loss for probe in found.probes if probe.loss is not None]
    assert outcome.validation_loss is not None
    assert outcome.validation_loss < min(losses) + 0.1 * (math.log(4) - min(losses))


def test_the_probes_bracket_the_pick() -> None:
    found, _ = usual()
    assert found.grid is not None
    assert found.grid.beyond() is None
    rates = found.grid.rates
    np.testing.assert_allclose(np.diff(np.log2(rates)), math.log2(GRID_FACTOR))
    assert rates[0] < found.max_lr(2.0) < rates[-1]
    assert found.probes[0].max_lr == found.range_test.max_lr


def test_every_rate_is_probed_with_the_same_seeds() -> None:
    _, tracker = look(replace(SHORT, probe_seeds=2))
    by_rate = {
        lr: [request.seed for request in group]
        for lr, group in groupby(requests(tracker, "search"), key=lambda request: request.pick_lr)
    }
    assert len(by_rate) >= 4
    assert len({tuple(seeds) for seeds in by_rate.values()}) == 1
    assert all(len(set(seeds)) == 2 for seeds in by_rate.values())


def test_a_plan_repeats_itself_bit_for_bit_and_another_seed_does_not() -> None:
    assert look(SHORT)[0] == look(SHORT)[0]
    assert look(replace(SHORT, seed=1))[0].ramps != look(SHORT)[0].ramps


def test_replicates_differ_by_seed_and_are_pooled() -> None:
    found, tracker = usual()
    assert len({request.seed for request in requests(tracker, "range_test")}) == 2
    own = [outcome.range_test for outcome in tracker.outcomes[:2] if outcome.range_test is not None]
    assert found.range_test.lr_at_minimum == pytest.approx(math.sqrt(own[0].lr_at_minimum * own[1].lr_at_minimum))
    assert found.ramps == tuple(split_ramps(ramp_curve(tracker, place))[1] for place in (0, 1))
    assert found.sweeps == tuple(split_ramps(ramp_curve(tracker, place))[0] for place in (0, 1))


def ramp_curve(tracker: MemoryTracker, place: int) -> Curve:
    """The steps of one replicate: its blocks begin where the steps fall back to 0."""
    blocks = [block for phase, block in tracker.blocks if phase == "range_test"]
    starts = [number for number, block in enumerate(blocks) if block.step[0] == 0] + [len(blocks)]
    return Curve.join(blocks[starts[place] : starts[place + 1]])


def test_the_peak_and_the_band_follow_the_horizon_rule() -> None:
    found, _ = usual()
    assert found.rule is not None
    for epochs in LENGTHS:
        assert found.band(epochs) == (found.max_lr(epochs) / 10.0, found.max_lr(epochs))
        assert found.max_lr(epochs) == found.rule.max_lr(epochs)
    assert found.rule.reference_epochs == 2.0
    assert found.grid is not None
    assert found.rule.edge == found.grid.edge()


@pytest.mark.parametrize("kind", ["linear", "exponential"])
def test_an_asked_interval_is_crossed_as_asked_without_a_coarse_ramp(kind: Ramp) -> None:
    low, high = (0.01, 2.0)
    found, tracker = look(replace(SHORT, interval=(low, high), ramp=kind, steps=90, rule="lowest"))
    assert found.sweeps == ()
    (ramp,) = found.ramps
    np.testing.assert_allclose(ramp.lr, RAMPS[kind](low, high, 90)[: len(ramp)])
    (work,) = [request.work for request in tracker.requests]
    assert isinstance(work, Ramps)
    assert (work.low, work.high) == (low, high)


@pytest.mark.parametrize("name", ["robust", "lowest", "valley", "lightning"])
def test_a_rule_of_the_ramp_runs_no_probe_and_knows_no_length(name: str) -> None:
    found, tracker = look(replace(PLAN, rule=name))
    assert found.probes == ()
    assert requests(tracker, "search") == []
    assert found.grid is None
    assert found.max_lr(1.0) == found.max_lr(30.0) == found.peers()[name]


def test_peers_read_the_coarse_ramps_and_ours_the_fine_ones() -> None:
    found, _ = usual()
    assert set(found.peers()) == set(PICK_RULES)

    def mean(name: str, curves: tuple[Curve, ...]) -> float:
        return float(np.exp(np.mean([math.log(PICK_RULES[name](curve) or math.nan) for curve in curves])))

    assert found.peers()["valley"] == pytest.approx(mean("valley", found.sweeps))
    assert found.peers()["lowest"] == pytest.approx(mean("lowest", found.ramps))


def test_another_smoothing_reads_the_same_ramps_anew() -> None:
    wide = look(replace(SHORT, smoothing=0.06, rule="lowest"))
    usual_width, tracker = look(replace(SHORT, rule="lowest"))
    assert wide[0].ramps == usual_width.ramps
    fine, fast = split_ramps(ramp_curve(tracker, 0))
    again = compared(analyse([fine], 0.06), analyse([fast], 0.06))
    assert wide[0].range_test.lr_at_minimum == pytest.approx(again.lr_at_minimum)
    assert wide[0].range_test.edge == pytest.approx(again.edge)


def test_an_edge_is_bisected_once_and_is_the_edge_that_is_reported() -> None:
    found, tracker = look(replace(SHORT, edge=True, rule="lowest"))
    assert [request.kind for request in tracker.requests] == ["edge"]
    bisected = tracker.outcomes[0].range_test
    assert bisected is not None
    assert found.range_test.edge == pytest.approx(bisected.edge)
    smoothed, _ = look(replace(SHORT, edge=True, rule="lowest", smoothing=0.06))
    assert smoothed.range_test.edge == pytest.approx(bisected.edge)


def test_the_bisected_edge_is_not_drowned_by_the_ramps_of_other_replicates() -> None:
    found, tracker = look(replace(SHORT, edge=True, rule="lowest", replicates=3))
    assert [request.kind for request in tracker.requests] == ["range_test", "range_test", "edge"]
    *ramps, bisected = [outcome.range_test for outcome in tracker.outcomes]
    assert bisected is not None
    assert found.range_test.edge == bisected.edge
    assert found.range_test.edge not in [ramp.edge for ramp in ramps if ramp is not None]


def test_what_the_plan_says_reaches_every_trial() -> None:
    params = replace(PARAMS, weight_decay=1e-3, base_momentum=0.7)
    _, tracker = look(
        replace(SHORT, params=params, schedule=schedule_from("constant"), precision="bf16", rule=RULE_OF_PROBES)
    )
    for request in tracker.requests:
        assert (request.params.weight_decay, request.params.base_momentum) == (1e-3, 0.7)
        assert (request.params.batch_size, request.precision, request.schedule.name) == (32, "bf16", "constant")
    assert set(tracker.curve("range_test").momentum) == {0.7}


def test_a_probe_is_an_epoch_or_a_hundred_steps() -> None:
    long, _ = look(replace(SHORT, probe_epochs=None, rule="lowest"), toy_problem(items=480))
    assert long.probe_epochs == pytest.approx(100 / 15)
    short, _ = look(replace(SHORT, probe_epochs=None, rule="lowest"), toy_problem(items=32 * 130))
    assert short.probe_epochs == 1.0


def test_progress_is_told_of_every_trial() -> None:
    told: list[str] = []
    tracker = MemoryTracker()
    find(toy_problem(), SHORT, tracker, FakeClock(), told.append)
    assert len(told) == len(tracker.requests)


def test_a_finding_can_be_drawn_with_and_without_a_number() -> None:
    assert len(usual()[0].figure("four clouds").axes) == 2
    assert len(look(replace(SHORT, interval=(1e-9, 1e-8), rule="valley"))[0].figure().axes) == 1


# Where there is no number


def test_ramps_that_say_nothing_leave_it_to_the_probes() -> None:
    found, _ = look(replace(SHORT, interval=(1e-9, 1e-8)))
    assert found.range_test.refusal in (Refusal.FLAT, Refusal.NO_DESCENT)
    assert found.refusal is None
    assert found.probes[0].max_lr == FALLBACK_LR["sgd"]
    assert found.max_lr(2.0) > 0
    assert found.quality in ("fair", "poor")
    assert any("began at a peak of 0.05" in note for note in found.notes)


def test_a_rule_that_has_only_ramps_to_read_refuses_with_them() -> None:
    found, _ = look(replace(SHORT, interval=(1e-9, 1e-8), rule="lowest"))
    assert found.refusal == found.range_test.refusal
    assert (found.rule, found.quality) == (None, "none")
    with pytest.raises(ValueError, match="found no learning rate"):
        found.max_lr(10.0)
    with pytest.raises(ValueError, match="found no learning rate"):
        found.band(10.0)


def test_a_loss_that_is_no_number_from_the_start_is_refused_without_a_probe() -> None:
    problem = toy_problem()
    assert isinstance(problem.train, TensorSource)
    inputs = problem.train.inputs.clone()
    inputs[:, 0] = math.nan
    found, tracker = look(SHORT, replace(problem, train=TensorSource(inputs, problem.train.targets)))
    assert found.refusal == Refusal.NOT_FINITE
    assert requests(tracker, "search") == []


def test_data_that_cannot_be_read_end_it_after_the_first_trial(caplog: pytest.LogCaptureFixture) -> None:
    def fail(step: int) -> None:
        if step == 5:
            raise OSError("the disk is gone")

    problem = toy_problem()
    assert isinstance(problem.train, TensorSource)
    found, tracker = look(PLAN, replace(problem, train=HookedSource(problem.train, fail)))
    assert found.refusal is not None
    assert "the disk is gone" in found.refusal
    assert len(tracker.requests) == 1
    assert (found.rule, found.quality, found.probes) == (None, "none", ())
    assert caplog.records  # where it happened is in the log


def test_where_no_probe_ends_with_a_loss_there_is_no_number() -> None:
    problem = toy_problem()
    assert isinstance(problem.validation, TensorPart)
    broken = TensorPart(torch.full_like(problem.validation.inputs, math.nan), problem.validation.targets)
    found, _ = look(SHORT, replace(problem, validation=broken))
    assert found.refusal is not None
    assert "No probe ended" in found.refusal
    assert len(found.probes) == 4 + MOST_WIDENINGS
    assert all(probe.loss is None for probe in found.probes)
    assert found.figure().axes


def test_a_best_probe_at_the_border_is_poor_and_says_so() -> None:
    problem = toy_problem()
    always_better = replace(problem, loss=lambda outputs, wanted, s: 1e-9 * problem.loss(outputs, wanted, s))
    found, _ = look(replace(SHORT, interval=(1e-9, 1e-8)), always_better)
    assert found.quality == "poor"
    assert any("at the border of the grid" in note for note in found.notes)
    assert found.rule is not None
