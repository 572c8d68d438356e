"""Predicted durations where the preflight and the workers have different speeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.planner.cost import CostModel
from superconv_tune.planner.divide import SEEDS
from superconv_tune.record.events import Event, Observed, Opened, Requested, Resized, Surveyed
from superconv_tune.record.landmarks import Landmark
from superconv_tune.record.study import Study
from superconv_tune.record.trial import TrialOutcome
from tests.simulated import WatchedConductor, Workers, World, brief, opened, searched

BUDGET_S, STEP_S = 600.0, 0.05


def search(measured_over_true: float, nodes: tuple[float, ...], step_s: float = STEP_S) -> WatchedConductor:
    """Run a search whose preflight ran on a machine slower than the workers by this factor."""
    start = opened(BUDGET_S, len(nodes), step_s * measured_over_true)
    conductor, clock = searched(Workers(World(step_s=step_s), nodes), start, brief())
    assert clock.now <= start.deadline
    return conductor


def seeds(conductor: WatchedConductor) -> list[TrialOutcome]:
    outcomes = [trial.outcome for trial in conductor.study.trials("confirm")]
    return [outcome for outcome in outcomes if outcome.status == "finished" and not outcome.shortened]


@pytest.mark.parametrize("measured_over_true", [30.0, 0.1])
def test_a_preflight_on_another_machine_does_not_decide_the_lengths(measured_over_true: float) -> None:
    """Otherwise a head node without a GPU would plan cycles of a single epoch, and end early."""
    plan, other = search(1.0, (1.0,) * 4).study.plan, search(measured_over_true, (1.0,) * 4)
    assert plan is not None
    assert other.study.plan is not None
    assert other.study.plan.rungs[-1].epochs == pytest.approx(plan.rungs[-1].epochs, rel=0.1)
    assert len(seeds(other)) >= SEEDS


def test_one_slow_node_of_several_costs_no_fresh_seeds() -> None:
    conductor = search(1.0, (1.0, 1.0, 1.0, 3.0))
    assert {trial.outcome.node for trial in conductor.study.trials("search")} == {f"node-{slot}" for slot in range(4)}
    assert len(seeds(conductor)) >= SEEDS


def test_the_overhead_is_learned_from_finished_trials() -> None:
    """Short trials of a small model consist mostly of overhead, so that a guess would plan too few or too many."""
    conductor = search(1.0, (1.0, 1.0))
    guess = CostModel.of(Study.replay(conductor.events[:1])).overhead_s
    for wrong in (10.0 * guess, 0.0):
        opening = conductor.events[0]
        assert isinstance(opening, Opened)
        misled = replace(opening, measured=replace(opening.measured, overhead_s=wrong))
        assert CostModel.of(Study.replay([misled])).overhead_s == wrong
        assert CostModel.of(Study.replay([misled, *conductor.events[1:]])).overhead_s == pytest.approx(guess, rel=0.01)


def test_seconds_in_which_the_workers_start_are_no_overhead() -> None:
    """They are part of the time between the first requests and their outcomes, and of no others."""
    conductor = search(1.0, (1.0, 1.0))
    firsts = [event.request.trial_id for event in conductor.events if isinstance(event, Requested)][:2]

    def late(event: Event) -> Event:
        """The event where the workers needed five seconds to start."""
        if isinstance(event, Requested) and event.request.trial_id in firsts:
            return Requested(event.at - 5.0, event.request)
        return event

    events = [late(event) for event in conductor.events]
    seen = [index for index, event in enumerate(events) if isinstance(event, Observed)]
    guess = CostModel.of(Study.replay(conductor.events)).overhead_s
    for count in (1, 2, 4):
        assert CostModel.of(Study.replay(events[: seen[count] + 1])).overhead_s == pytest.approx(guess, rel=0.01)


def test_short_trials_that_were_slow_say_less_of_the_speed_than_long_ones() -> None:
    """The first trials share the machine with the floors, and load code."""
    events = search(1.0, (1.0, 1.0)).events
    seen = [event for event in events if isinstance(event, Observed)]
    short = min(event.outcome.train_s for event in seen if event.outcome.train_s)

    def slowed(event: Event) -> Event:
        """The event if trials of the shortest length had taken half as long again."""
        if not isinstance(event, Observed) or event.outcome.train_s > 1.01 * short:
            return event
        return replace(event, outcome=replace(event.outcome, train_s=1.5 * event.outcome.train_s))

    until = 1 + events.index(seen[15])  # with seven of them among the latest twelve, and five three times as long
    assert CostModel.of(Study.replay([slowed(event) for event in events[:until]])).correction == pytest.approx(
        1.0, rel=0.01
    )


def test_trials_that_floors_were_computed_beside_say_nothing_of_the_speed_if_there_are_others() -> None:
    events = search(1.0, (1.0, 1.0)).events
    seen = [event for event in events if isinstance(event, Observed)]
    found = Surveyed(seen[5].at, (Landmark("constant", "floor", 0.1, ""),))

    def slowed(event: Event) -> Event:
        """The event if trials asked for before that had taken a quarter longer."""
        if not isinstance(event, Observed) or event.outcome.trial_id not in early:
            return event
        return replace(event, outcome=replace(event.outcome, train_s=1.25 * event.outcome.train_s))

    early = {each.request.trial_id for each in events if isinstance(each, Requested) and each.at < found.at}
    until = 1 + events.index(seen[9])
    told = [slowed(event) for event in events[:until]]
    assert CostModel.of(Study.replay(told)).correction > 1.2
    assert CostModel.of(Study.replay([*told, found])).correction == pytest.approx(1.0, rel=0.01)
    assert CostModel.of(Study.replay([*told[: 1 + events.index(seen[4])], found])).correction > 1.2


def test_a_fresh_model_takes_as_much_longer_as_the_test_part_does() -> None:
    start = opened(BUDGET_S, 2, STEP_S)
    large = replace(start, measured=replace(start.measured, test_items=4 * start.measured.validation_items))
    cost, params = CostModel.of(Study(large)), Hyperparameters()
    assert cost.fresh_s(params) - cost.seconds(params) == pytest.approx(4 * start.measured.eval_s)
    events = search(3.0, (1.0, 1.0)).events  # the workers are three times as fast as the preflight
    learned = CostModel.of(Study.replay(events))
    assert learned.test_s == pytest.approx(learned.correction * start.measured.eval_s)


def test_the_speed_is_learned_while_every_one_of_a_thousand_workers_is_busy() -> None:
    """The latest thousand trials are running then, and those that ended are older."""
    conductor = search(3.0, (1.0, 1.0))
    known = Study.replay(conductor.events)
    learned = CostModel.of(known).correction
    known.apply(Resized(conductor.study.deadline, 1000))
    (*_, last) = known.asked("search").values()
    for number in range(1000):
        known.apply(Requested(conductor.study.deadline, replace(last, trial_id=f"{number}-later")))
    assert CostModel.of(known).correction == learned == pytest.approx(1.0 / 3.0, rel=0.1)


def test_batch_sizes_that_were_not_measured_lie_between_those_that_were_and_beyond_them_in_proportion() -> None:
    """Measured are 64, 128 and 256 examples; a step takes as long as its batch is large."""
    cost = CostModel.of(Study.replay([opened(BUDGET_S, 1, STEP_S)]))
    step_s = {size: cost.seconds(params(size, 100.0)) - cost.seconds(params(size, 50.0)) for size in (64, 96, 128, 512)}
    steps = {size: cost.steps(params(size, 100.0)) - cost.steps(params(size, 50.0)) for size in step_s}
    of_one = {size: seconds / steps[size] for size, seconds in step_s.items()}
    assert of_one[96] == pytest.approx((of_one[64] + of_one[128]) / 2)
    assert of_one[512] == pytest.approx(4.0 * of_one[128])
    assert cost.seconds(params(32, 50.0)) > cost.seconds(params(64, 50.0))  # half the batch is no faster


def params(batch_size: int, epochs: float) -> Hyperparameters:
    return Hyperparameters(batch_size=batch_size, cycle_epochs=epochs)
