from __future__ import annotations

import itertools
import logging
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from superconv_tune.core.bits import unpack
from superconv_tune.core.codec import decode, encode
from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.data.batches import Batch
from superconv_tune.lr.edge import HALVINGS, OPENING, PROBE_STEPS
from superconv_tune.lr.lr_range import MIN_POINTS, RAMPS, Ramp, analyse, compared, split_ramps
from superconv_tune.lr.schedule import Schedule
from superconv_tune.lr.span import Span
from superconv_tune.problems.problem import Metric, Problem
from superconv_tune.record.purpose import Confirm, EdgeTest, Probe, Purpose, RangeTest, Scaling
from superconv_tune.record.trial import Cycle, Ramps, Status, TrialOutcome, TrialRequest, Work
from superconv_tune.trial.run import run
from superconv_tune.trial.tracker import Tracker
from superconv_tune.trial.trackers import NullTracker
from tests.fakes import (
    ACCURACY,
    FakeClock,
    HookedSource,
    MemoryTracker,
    TensorPart,
    TensorSource,
    toy_model,
    toy_problem,
)

EPOCH = 15  # steps: 480 items in batches of 32
PARAMS = Hyperparameters(cycle_epochs=8.0, batch_size=32)
READS_TEST = Cycle(0.1, reads_test=True)


def ask(work: Work = Cycle(0.1), **changes: Any) -> TrialRequest:  # noqa: B008 - frozen
    request = TrialRequest(
        "trial-1", 1, Probe(0.1), work, params=PARAMS, schedule=Schedule(), seed=7, deadline=math.inf, rung=0
    )
    return replace(request, **changes)


def ramps(low: float = 1e-5, high: float = 10.0, **options: Any) -> TrialRequest:
    return ask(Ramps(low, high, **options), purpose=RangeTest())


def checked(low: float = 1e-5, high: float = 10.0, **options: Any) -> TrialRequest:
    """With a second fine ramp, at twice the speed."""
    return ramps(low, high, is_checked=True, **options)


def edge(low: float = 1e-5, high: float = 10.0, **options: Any) -> TrialRequest:
    return ask(Ramps(low, high, finds_edge=True, **options), purpose=EdgeTest())


def go(
    request: TrialRequest,
    problem: Problem | None = None,
    tracker: Tracker | None = None,
    clock: Callable[[], float] | None = None,
) -> TrialOutcome:
    return run(request, problem or toy_problem(), tracker or MemoryTracker(), clock or FakeClock())


def ticking(problem: Problem, clock: FakeClock, step_s: Callable[[int], float]) -> Problem:
    source = problem.train
    assert isinstance(source, TensorSource)
    return replace(problem, train=HookedSource(source, lambda step: clock.advance(step_s(step))))


# One cycle


def test_a_search_trains_one_whole_cycle_and_reports_validation() -> None:
    tracker, problem = MemoryTracker(), toy_problem()
    outcome = go(ask(), problem, tracker)
    assert (outcome.status, outcome.reason) == ("finished", "")
    assert outcome.validation is not None
    assert outcome.validation > 0.85
    assert outcome.objective == outcome.validation
    assert outcome.validation_loss is not None
    assert 0.0 < outcome.validation_loss < 0.6
    assert (outcome.steps, outcome.epochs, outcome.shortened) == (8 * EPOCH, 8.0, False)
    assert outcome.max_lr == 0.1
    assert (outcome.test, outcome.test_correct, outcome.range_test) == (None, None, None)
    assert isinstance(problem.test, TensorPart)
    assert problem.test.reads == []


def test_the_recorded_cycle_is_the_schedule_step_by_step() -> None:
    tracker = MemoryTracker()
    go(ask(), tracker=tracker)
    curve = tracker.curve("cycle")
    span = Span(steps=120, max_lr=0.1, base_momentum=0.85, max_momentum=PARAMS.max_momentum, weight_decay=5e-4)
    expected = [Schedule().knobs(span)(step / 119) for step in range(120)]
    np.testing.assert_array_equal(curve.step, np.arange(120))
    np.testing.assert_array_equal(curve.lr, [knobs.lr for knobs in expected])
    np.testing.assert_array_equal(curve.momentum, [knobs.momentum for knobs in expected])


def test_the_tracker_sees_the_request_every_block_and_the_outcome() -> None:
    tracker = MemoryTracker()
    outcome = go(ask(), tracker=tracker)
    assert tracker.requests == [ask()]
    assert tracker.outcomes == [outcome]
    assert outcome.mlflow_run_id == "run-1"
    assert {phase for phase, _ in tracker.blocks} == {"cycle"}
    assert outcome.steps == len(tracker.curve("cycle"))


def test_long_curves_travel_thinned_and_the_tracker_gets_them_whole() -> None:
    tracker = MemoryTracker()
    outcome = go(ask(params=replace(PARAMS, cycle_epochs=20.0)), tracker=tracker)
    assert len(tracker.curve("cycle")) == 20 * EPOCH
    assert outcome.cycle_curve is not None
    assert len(outcome.cycle_curve) <= 200


def test_the_guard_stands_while_the_trial_computes_and_not_while_it_is_recorded() -> None:
    told: list[str] = []

    class Telling(MemoryTracker):
        def start(self, request: TrialRequest) -> None:
            told.append("start")
            super().start(request)

        def finish(self, outcome: TrialOutcome) -> None:
            told.append("finish")
            super().finish(outcome)

    @contextmanager
    def guard() -> Iterator[None]:
        told.append("guarded")
        yield
        told.append("free")

    outcome = run(ask(), toy_problem(), Telling(), lambda: 0.0, guard=guard())
    assert outcome.status == "finished"
    assert told == ["start", "guarded", "free", "finish"]


def test_an_outcome_survives_the_journal() -> None:
    outcome = go(ask(READS_TEST))
    assert decode(TrialOutcome, encode(outcome)) == outcome


def test_a_part_of_an_epoch_is_at_least_one_step() -> None:
    assert go(ask(params=replace(PARAMS, cycle_epochs=0.5))).steps == round(0.5 * EPOCH)
    tiny = go(ask(params=replace(PARAMS, cycle_epochs=1e-4)))
    assert (tiny.status, tiny.steps) == ("finished", 1)


# Seeds


def test_the_same_request_gives_the_same_trial_bit_for_bit() -> None:
    assert go(ask(READS_TEST)) == go(ask(READS_TEST))
    assert go(ramps()) == go(ramps())


@pytest.mark.parametrize("purpose", [Confirm(1), Scaling(2), RangeTest()])
def test_what_a_trial_is_for_changes_nothing_in_it(purpose: Purpose) -> None:
    assert go(ask(purpose=purpose)) == go(ask())
    assert go(replace(ramps(), purpose=purpose)) == go(ramps())


def test_another_seed_is_another_trial() -> None:
    assert go(ask()).cycle_curve != go(ask(seed=8)).cycle_curve


def test_a_range_test_leaves_no_trace_in_a_cycle_after_it() -> None:
    """Claim 2 of the science notes: the same trial with and without a preceding range test."""
    problem = toy_problem()
    without = go(ask(), problem)
    assert go(ramps(), problem).range_curve is not None
    assert go(ask(), problem) == without


def test_the_caller_s_random_state_is_untouched_and_without_influence() -> None:
    torch.manual_seed(1)
    random.seed(1)
    before = torch.get_rng_state(), random.getstate()
    first = go(ask())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    torch.manual_seed(2)
    assert go(ask()) == first


# Range test


def test_a_range_test_runs_three_ramps_as_one_series_and_no_cycle() -> None:
    tracker = MemoryTracker()
    outcome = go(checked(), tracker=tracker)
    assert (outcome.status, outcome.reason) == ("finished", "")
    assert outcome.range_test is not None
    assert 1e-2 < outcome.range_test.lr_at_minimum < 10.0
    assert outcome.objective == 0.25
    assert (outcome.cycle_curve, outcome.max_lr, outcome.steps) == (None, None, 0)
    curve = tracker.curve("range_test")
    np.testing.assert_array_equal(curve.step, np.arange(len(curve)))
    coarse, fine, fast = split_ramps(curve)
    assert per_decade(coarse) == pytest.approx(15, rel=0.05)
    assert per_decade(fine) == pytest.approx(60, rel=0.05)
    assert per_decade(fast) == pytest.approx(30, rel=0.05)
    assert fine.lr[0] == fast.lr[0] == pytest.approx(analyse([coarse]).lr_at_minimum / 100.0)
    assert set(curve.momentum) == {PARAMS.base_momentum}


def test_a_search_pays_for_no_second_fine_ramp() -> None:
    tracker = MemoryTracker()
    outcome = go(ramps(), tracker=tracker)
    _, fine = split_ramps(tracker.curve("range_test"))
    assert outcome.range_test == analyse([fine])


def test_what_a_range_test_says_is_its_fine_ramp_compared_with_the_faster_one() -> None:
    tracker = MemoryTracker()
    outcome = go(checked(), tracker=tracker)
    _, fine, fast = split_ramps(tracker.curve("range_test"))
    assert outcome.range_test == compared(analyse([fine]), analyse([fast]))
    assert outcome.range_test.steps == len(fine) + len(fast)


def test_the_three_ramps_begin_from_the_same_model_and_the_same_batches() -> None:
    tracker = MemoryTracker()
    go(checked(), tracker=tracker)
    first = [ramp.loss[0] for ramp in split_ramps(tracker.curve("range_test"))]
    assert first[0] == first[1] == first[2]


def test_the_steps_of_the_fine_ramp_can_be_asked_for() -> None:
    tracker = MemoryTracker()
    go(checked(steps=300), tracker=tracker)
    _, fine, fast = split_ramps(tracker.curve("range_test"))
    assert per_decade(fine) == pytest.approx(100, rel=0.05)
    assert per_decade(fast) == pytest.approx(50, rel=0.05)


@pytest.mark.parametrize("rise", ["exponential", "linear"])
def test_a_ramp_that_is_not_centred_crosses_the_asked_interval_as_it_was_asked(rise: Ramp) -> None:
    tracker = MemoryTracker()
    outcome = go(checked(1e-3, 0.5, steps=120, rise=rise, is_centred=False), tracker=tracker)
    assert outcome.range_test is not None
    fine, fast = split_ramps(tracker.curve("range_test"))
    np.testing.assert_allclose(fine.lr, RAMPS[rise](1e-3, 0.5, 120)[: len(fine)])
    np.testing.assert_allclose(fast.lr, RAMPS[rise](1e-3, 0.5, 60)[: len(fast)])


def test_a_short_ramp_is_not_halved_below_what_can_be_read() -> None:
    tracker = MemoryTracker()
    go(checked(1e-3, 1.0, steps=30, is_centred=False), tracker=tracker)
    assert [len(ramp) for ramp in split_ramps(tracker.curve("range_test"))] == [30, MIN_POINTS]


def test_an_edge_trial_bisects_with_constant_rates_from_the_same_model() -> None:
    tracker = MemoryTracker()
    outcome = go(edge(is_checked=True), tracker=tracker)
    assert (outcome.status, outcome.reason) == ("finished", "")
    ramps_alone = MemoryTracker()
    plain = go(checked(), tracker=ramps_alone)
    assert plain.range_test is not None
    assert outcome.range_test == replace(plain.range_test, edge=outcome.range_test.edge if outcome.range_test else 0)
    whole, before = tracker.curve("range_test"), ramps_alone.curve("range_test")
    np.testing.assert_array_equal(whole.loss[: len(before)], before.loss)
    constant = whole.take(slice(len(before), None))
    probes = np.split(constant.lr, np.flatnonzero(np.diff(constant.lr)) + 1)
    assert len(probes[0]) == OPENING  # the loss before training
    assert {len(probe) for probe in probes[1:]} == {PROBE_STEPS}
    firsts = constant.loss[np.cumsum([0, *(len(probe) for probe in probes[:-1])])]
    assert set(firsts) == {whole.loss[0]}
    rates = [probe[0] for probe in probes[1:]]
    assert len(rates) == len(set(rates)) >= HALVINGS + 2
    assert min(rates) < outcome.range_test.edge < max(rates)


def test_an_edge_is_where_training_stops_to_keep_its_loss() -> None:
    """Half of it trains, twice of it does not."""
    outcome = go(edge())
    assert outcome.range_test is not None
    problem, found = toy_problem(), outcome.range_test.edge
    kept = []
    for factor in (0.5, 2.0):
        torch.manual_seed(7)
        model = toy_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=factor * found, momentum=0.85, nesterov=True)
        losses = []
        for inputs, targets in itertools.islice(problem.train.stream(32, seed=7), 120):
            loss = problem.loss(model(inputs), targets, 0.0)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        kept.append(np.median(losses[-24:]) <= losses[0])
    assert kept == [True, False]


def test_an_edge_trial_whose_ramp_says_nothing_says_so() -> None:
    outcome = go(edge(1e-9, 1e-8))
    assert outcome.status == "no_lr"
    assert outcome.range_test is not None
    assert outcome.range_test.refusal == outcome.reason


def test_an_edge_trial_keeps_its_deadline() -> None:
    steps = go_and_count(edge())
    clock, tracker = FakeClock(), MemoryTracker()
    problem = ticking(toy_problem(), clock, lambda _: 1.0)
    deadline = clock.now + 0.7 * steps
    outcome = go(replace(edge(), deadline=deadline), problem, tracker, clock)
    assert outcome.status == "deadline"
    assert outcome.reason
    assert outcome.range_test is not None  # what the ramps said is kept
    assert clock.now <= deadline + 10


def go_and_count(request: TrialRequest) -> int:
    tracker = MemoryTracker()
    go(request, tracker=tracker)
    return len(tracker.curve("range_test"))


def per_decade(ramp: Curve) -> float:
    return float((len(ramp) - 1) / np.log10(ramp.lr[-1] / ramp.lr[0]))


def test_a_ramp_that_says_nothing_is_no_lr_with_its_reason() -> None:
    outcome = go(ramps(1e-9, 1e-8))
    assert outcome.status == "no_lr"
    assert outcome.reason
    assert outcome.range_test is not None
    assert outcome.range_test.refusal == outcome.reason
    assert outcome.objective == 0.25


def test_the_multiplier_that_is_in_the_peak_counts_no_second_time() -> None:
    cycle = Cycle(1.5e-2)
    outcome = go(ask(cycle, params=replace(PARAMS, lr_multiplier=1.5)))
    assert outcome.max_lr == 1.5e-2
    assert outcome.cycle_curve == go(ask(cycle)).cycle_curve


# Confirmation


def test_a_cycle_runs_no_ramp_and_reads_the_test_part_once() -> None:
    problem = toy_problem()
    outcome = go(ask(READS_TEST), problem)
    assert outcome.range_curve is None
    assert isinstance(problem.test, TensorPart)
    assert len(problem.test.reads) == 1
    assert outcome.test_items == 200
    assert outcome.test_correct is not None
    assert outcome.test == unpack(outcome.test_correct, 200).mean()
    assert outcome.objective == outcome.validation


def test_a_scaling_run_leaves_the_test_part_closed_and_takes_as_many_steps_on_less_data() -> None:
    problem = toy_problem()
    outcome = go(ask(Cycle(0.1, data_share=0.25), purpose=Scaling(1)), problem)
    assert isinstance(problem.test, TensorPart)
    assert problem.test.reads == []
    assert outcome.test is None
    assert (outcome.steps, outcome.epochs) == (8 * EPOCH, 8.0)
    whole = go(ask(purpose=Scaling(1)))
    assert whole.validation == go(ask()).validation
    assert outcome.validation_loss != whole.validation_loss


@pytest.mark.parametrize("augment", [0, 1])
def test_a_trial_without_augmentation_reads_images_as_they_are(augment: int) -> None:
    changed = toy_problem()
    assert isinstance(changed.train, TensorSource)
    plain = replace(changed.train, inputs=-changed.train.inputs)
    request = ask()
    outcome = go(replace(request, params=replace(request.params, augment=augment)), replace(changed, plain_train=plain))
    expected = go(ask(), changed if augment else replace(changed, train=plain))
    assert outcome.validation_loss == expected.validation_loss


def test_a_validation_value_over_groups_is_worth_fewer_items() -> None:
    problem = replace(toy_problem(), validation_groups=np.arange(200) // 10)
    worth = go(ask(), problem).validation_worth
    assert worth is not None
    assert 20 < worth < 200
    assert go(ask()).validation_worth is None
    assert go(ask(), replace(problem, metric=replace(ACCURACY, correct=None))).validation_worth is None


def test_a_metric_that_is_no_mean_over_items_has_no_bits() -> None:
    problem = replace(toy_problem(), metric=replace(ACCURACY, correct=None))
    outcome = go(ask(READS_TEST), problem)
    assert outcome.test is not None
    assert (outcome.test_correct, outcome.test_items) == (None, 0)


# Deadline


def test_a_late_cycle_shortens_its_anneal_and_still_reaches_the_floor() -> None:
    clock, tracker = FakeClock(), MemoryTracker()
    problem = ticking(toy_problem(), clock, lambda _: 0.2)
    deadline = clock.now + 15.0  # of the 24 that the steps alone would take
    outcome = go(ask(deadline=deadline), problem, tracker, clock)
    assert outcome.status == "finished"
    assert outcome.shortened
    assert 45 < outcome.steps < 75
    assert clock.now <= deadline
    assert tracker.curve("cycle").lr[-1] == pytest.approx(0.1 / 25 / 1e4, rel=1e-6)
    assert outcome.epochs == pytest.approx(outcome.steps / EPOCH)
    assert outcome.validation is not None
    assert outcome.validation > 0.8


def test_a_cycle_in_time_is_the_same_whatever_the_clock_says() -> None:
    clock = FakeClock()
    problem = ticking(toy_problem(), clock, lambda step: 0.1 + 0.3 * (step % 7 == 0))
    timed = go(ask(deadline=clock.now + 1000.0), problem, clock=clock)
    assert not timed.shortened
    assert timed.validation_loss == go(ask()).validation_loss


@pytest.mark.parametrize("late", [ask(), ask(READS_TEST), ramps(), edge()])
def test_a_trial_that_comes_too_late_does_nothing(late: TrialRequest) -> None:
    clock = FakeClock()
    outcome = go(replace(late, deadline=clock.now), clock=clock)
    assert (outcome.status, outcome.objective, outcome.steps) == ("deadline", 0.25, 0)
    assert "deadline" in outcome.reason


def test_a_cycle_of_which_almost_nothing_fits_is_given_up_early() -> None:
    clock = FakeClock()
    problem = ticking(toy_problem(), clock, lambda _: 10.0)
    params = replace(PARAMS, cycle_epochs=80.0)
    outcome = go(ask(params=params, deadline=clock.now + 600.0), problem, clock=clock)
    assert (outcome.status, outcome.validation) == ("deadline", None)
    assert outcome.steps <= 60
    assert clock.now <= 1_000_000.0 + 610.0


def test_a_stall_that_eats_the_time_ends_the_cycle_without_a_value() -> None:
    clock = FakeClock()
    problem = ticking(toy_problem(), clock, lambda step: 500.0 if step == 60 else 0.1)
    outcome = go(ask(deadline=clock.now + 60.0), problem, clock=clock)
    assert (outcome.status, outcome.validation, outcome.steps) == ("deadline", None, 61)


def test_the_deadline_ends_a_ramp_too() -> None:
    clock = FakeClock()
    problem = ticking(toy_problem(), clock, lambda _: 1.0)
    outcome = go(replace(ramps(), deadline=clock.now + 20.0), problem, clock=clock)
    assert outcome.status == "deadline"
    assert clock.now <= 1_000_020.0


def test_seconds_are_told_apart() -> None:
    clock = FakeClock()
    problem = ticking(toy_problem(), clock, lambda _: 0.5)
    part = problem.validation
    assert isinstance(part, TensorPart)
    metric = replace(ACCURACY, compute=lambda o, t: clock.advance(3.0) or ACCURACY.compute(o, t))  # type: ignore[func-returns-value]
    problem = replace(problem, metric=metric)
    outcome = go(ask(), problem, clock=clock)
    assert (outcome.range_test_s, outcome.train_s, outcome.eval_s) == (0.0, 60.0, 3.0)
    assert outcome.wall_s == 63.0
    outcome = go(ramps(1e-3, 0.5, steps=40, is_centred=False), problem, clock=clock)
    assert (outcome.range_test_s, outcome.train_s, outcome.eval_s) == (20.0, 0.0, 0.0)
    assert outcome.wall_s == 20.0


def test_the_node_is_named() -> None:
    assert go(ask(params=replace(PARAMS, cycle_epochs=0.1))).node
    named = run(ask(params=replace(PARAMS, cycle_epochs=0.1)), toy_problem(), NullTracker(), FakeClock(), "gpu-7")
    assert named.node == "gpu-7"


# Failures


def test_a_learning_rate_far_too_high_diverges() -> None:
    params = replace(PARAMS, cycle_epochs=20.0)
    make = lambda: nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))  # noqa: E731
    outcome = go(ask(Cycle(1e4), params=params), replace(toy_problem(), make_model=make))
    assert outcome.status == "diverged"
    assert outcome.steps < 300
    assert (outcome.objective, outcome.validation) == (0.25, None)
    assert outcome.cycle_curve is not None


def test_a_number_missing_in_the_data_is_nan() -> None:
    problem = toy_problem()
    source = problem.train
    assert isinstance(source, TensorSource)
    inputs = source.inputs.clone()
    inputs[0, 0] = math.nan
    outcome = go(ask(), replace(problem, train=TensorSource(inputs, source.targets)))
    assert (outcome.status, outcome.objective) == ("nan", 0.25)


def test_a_metric_that_is_not_finite_is_nan_and_the_objective_stays_finite() -> None:
    undefined = Metric("auc", "max", 0.0, 1.0, lambda outputs, targets: math.nan)
    outcome = go(ask(), replace(toy_problem(), metric=undefined))
    assert (outcome.status, outcome.objective, outcome.validation) == ("nan", 0.25, None)
    assert "auc of the validation part" in outcome.reason


def broken_loss(outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    raise TypeError("a loss by a beginner")


def broken_model() -> nn.Module:
    return nn.Linear(3, 4)


def hungry_loss(outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return outputs.sum() + torch.empty(2**58).sum()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"loss": broken_loss}, "code_error", "TypeError: a loss by a beginner"),
        ({"make_model": broken_model}, "code_error", "RuntimeError: mat1 and mat2"),
        ({"loss": hungry_loss}, "oom", "memory"),
        ({"metric": replace(ACCURACY, compute=lambda o, t: 1 / 0)}, "code_error", "ZeroDivisionError"),
    ],
)
def test_failures_come_back_as_outcomes(change: dict[str, Any], status: Status, words: str) -> None:
    tracker = MemoryTracker()
    outcome = go(ask(), replace(toy_problem(), **change), tracker)
    assert (outcome.status, outcome.objective) == (status, 0.25)
    assert words in outcome.reason
    assert "\n" not in outcome.reason
    assert tracker.outcomes == [outcome]


def test_a_disk_that_fails_mid_cycle_is_a_data_error_and_keeps_the_curve_so_far() -> None:
    problem = toy_problem()
    source = problem.train
    assert isinstance(source, TensorSource)

    def fail(step: int) -> None:
        if step == 50:
            raise OSError("disk gone")

    tracker = MemoryTracker()
    outcome = go(ask(), replace(problem, train=HookedSource(source, fail)), tracker)
    assert outcome.status == "data_error"
    assert "OSError: disk gone" in outcome.reason
    assert "test_run.py, line" in outcome.reason
    assert outcome.steps == len(tracker.curve("cycle")) > 0
    assert outcome.objective == 0.25


class BrokenPart(TensorPart):
    def batches(self) -> Iterator[Batch]:
        raise OSError("validation gone")


def test_a_validation_part_that_fails_is_a_data_error() -> None:
    problem = toy_problem()
    broken = BrokenPart(torch.zeros(5, 8), torch.zeros(5))
    assert go(ask(), replace(problem, validation=broken)).status == "data_error"


def test_an_unknown_schedule_is_reported_and_not_raised() -> None:
    assert go(ask(schedule="no such policy")).status == "code_error"


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_interrupts_are_raised_and_the_random_state_comes_back(interrupt: type[BaseException]) -> None:
    problem = toy_problem()
    source = problem.train
    assert isinstance(source, TensorSource)

    def stop(step: int) -> None:
        raise interrupt

    before = torch.get_rng_state()
    with pytest.raises(interrupt):
        go(ask(), replace(problem, train=HookedSource(source, stop)))
    assert torch.equal(torch.get_rng_state(), before)


class FullDisk(MemoryTracker):
    def record(self, phase: Any, block: Curve) -> None:
        raise OSError("no space left")


def test_a_tracker_that_fails_costs_the_record_and_not_the_trial(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        outcome = go(ask(), tracker=FullDisk())
    assert outcome.validation_loss == go(ask()).validation_loss
    assert "no space left" in caplog.text


# Noise must not look like divergence


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("batch_size", [2, 8])
def test_small_batches_and_smoothed_labels_finish(smoothing: float, batch_size: int) -> None:
    params = Hyperparameters(cycle_epochs=2.0, batch_size=batch_size, label_smoothing=smoothing)
    problem = toy_problem(items=240)
    assert go(ask(Cycle(0.03), params=params), problem).status == "finished"


def test_labels_that_cannot_be_learned_still_finish() -> None:
    problem = toy_problem()
    source = problem.train
    assert isinstance(source, TensorSource)
    noise = torch.randint(4, source.targets.shape, generator=torch.Generator().manual_seed(0))
    params = replace(PARAMS, batch_size=8, cycle_epochs=4.0)
    outcome = go(ask(params=params), replace(problem, train=TensorSource(source.inputs, noise), make_model=toy_model))
    assert outcome.status == "finished"


def test_a_network_too_notes_the_noise_of_a_metric_that_is_no_mean_over_items() -> None:
    problem = toy_problem()
    known = go(ask(READS_TEST, purpose=Confirm(1)), problem)
    metric = replace(problem.metric, correct=None)
    sampled = go(ask(READS_TEST, purpose=Confirm(1)), replace(problem, metric=metric))
    assert known.test_se is None
    assert (sampled.test, sampled.test_correct) == (known.test, None)
    assert sampled.test is not None
    of_a_mean = math.sqrt(sampled.test * (1.0 - sampled.test) / len(problem.test))
    assert sampled.test_se == pytest.approx(of_a_mean, rel=0.25)
    assert go(ask(), replace(problem, metric=metric)).test_se is None
