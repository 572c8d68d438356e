"""What the claims about searching rest on: cycles that are trials, searches that spend and see what they say."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from benchmarks.claims import cycles, ladder, mid_cycle, narrowing, winners_curse
from benchmarks.claims.cycles import BLOCKS, Cycle, Percent, Search, resolve, run
from benchmarks.claims.searches import Parts
from benchmarks.range_test.tasks import TASKS, cycle

NAME = "mnist1d-mlp"
Result = TypeVar("Result")
Reached = Callable[[Cycle], Percent]


def answered(search: Search[Result], reached: Reached) -> tuple[Result, list[Cycle]]:
    """What a search returns, and the cycles that it asked for, where a function says what each reaches."""
    asked: list[Cycle] = []
    wanted = next(search)
    while True:
        asked += wanted
        try:
            wanted = search.send([reached(each) for each in wanted])
        except StopIteration as end:
            return end.value, asked


def flat(value: float, marks: int = 1) -> Percent:
    return np.full((marks, BLOCKS), value)


def test_a_cycle_with_looks_in_between_is_a_trial_of_the_search() -> None:
    task = TASKS[NAME]
    problem = task.problem("sgd")
    status, counts = run(Cycle(NAME, 2.0, 0.2, seed=3, marks=(1 / 9, 0.5, 1.0)), problem)
    trial = cycle(task, problem, 2.0, 0.2, seed=3)
    assert status == trial.status == "finished"
    assert sum(counts[-1]) / len(problem.validation) == pytest.approx(trial.objective)
    assert run(Cycle(NAME, 2.0, 0.2, seed=3, marks=(0.5,)), problem)[1] == counts[1:2]


def test_a_cycle_that_diverges_counts_as_a_guess_where_it_was_not_judged() -> None:
    status, counts = run(Cycle(NAME, 2.0, 100.0, seed=3, marks=(0.5, 1.0)), TASKS[NAME].problem("sgd"))
    row = (*Cycle(NAME, 2.0, 100.0, seed=3, marks=(0.5, 1.0)).key, status, ";".join(map(str, counts)))
    assert status == "diverged"
    assert not counts
    assert cycles._percent(row) == pytest.approx(flat(10.0, marks=2))


def test_what_the_table_has_is_not_trained_again(tmp_path: Path) -> None:
    table = tmp_path / "cycles.csv"
    known = [Cycle(NAME, 1e6, 0.1, seed) for seed in range(3)]  # of a length that nobody could train here
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(cycles.COLUMNS)
        writer.writerows((*each.key, "finished", " ".join(["100"] * BLOCKS)) for each in known)

    def search(wanted: list[Cycle]) -> Search[float]:
        first = yield wanted[:1]
        rest = yield wanted[1:]
        return float(np.mean([*first, *rest]))

    before = table.read_bytes()
    assert resolve([search(known), search(known[::-1])], table) == [10.0, 10.0]
    assert table.read_bytes() == before


def test_the_ladder_trains_whole_cycles_and_delivers_the_best() -> None:
    field = ladder.Field(NAME, 0)
    found, asked = answered(ladder.ladder(field), lambda each: flat(100.0 * each.pct_start))
    *searched, _first, _second = asked
    lengths = [each.epochs for each in searched]
    assert [lengths.count(share * ladder.EPOCHS) for share in ladder.SHARES] == list(ladder.WIDTHS)
    assert all(each.marks == (1.0,) for each in asked)
    assert sum(lengths) == pytest.approx(ladder.BUDGET * ladder.EPOCHS)
    assert found.truth == pytest.approx(100.0 * max(each.pct_start for each in searched))


def test_asha_promotes_leaders_alone_and_spends_what_the_ladder_does() -> None:
    field = ladder.Field(NAME, 0)
    found, asked = answered(ladder.asha(field), lambda each: flat(100.0 * each.pct_start))
    searched = asked[: -ladder.FRESH]
    seen: dict[float, list[float]] = {share: [] for share in ladder.SHARES}
    for each in searched:
        below = ladder.SHARES.index(each.marks[0]) - 1
        if below >= 0:
            leaders = sorted(seen[ladder.SHARES[below]], reverse=True)
            assert each.pct_start in leaders[: len(leaders) // ladder.ETA]
        seen[each.marks[0]].append(each.pct_start)
    assert all(each.epochs == ladder.EPOCHS for each in searched)
    assert ladder.BUDGET <= found.spent < ladder.BUDGET + 2 / 3
    assert found.truth == pytest.approx(100.0 * max(seen[1.0]))
    assert found.drawn == len(seen[ladder.SHARES[0]])


def test_both_searches_see_the_same_configurations() -> None:
    def pct_starts(search: Search[ladder.Delivered]) -> list[float]:
        return list(dict.fromkeys(each.pct_start for each in answered(search, lambda each: flat(each.seed % 90))[1]))

    field = ladder.Field(NAME, 3)
    ours, theirs = pct_starts(ladder.ladder(field)), pct_starts(ladder.asha(field))
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both]
    assert both > ladder.ETA**2


@pytest.mark.parametrize("kind", narrowing.KINDS)
def test_a_search_sees_its_validation_part_and_is_judged_on_what_it_has_not_seen(kind: narrowing.Kind) -> None:
    parts = Parts.of(NAME, 4)

    def reached(each: Cycle) -> Percent:
        values = flat(50.0 + 10.0 * each.pct_start)
        values[:, parts.validation] += 5.0  # flattered
        values[:, parts.test] -= 1.0
        return values

    found, asked = answered(narrowing.search(NAME, 4, kind), reached)
    best = max(each.pct_start for each in asked[: kind[1]])
    truth = 50.0 + 10.0 * best
    assert found.truth == pytest.approx(truth)
    assert (found.observed, found.again, found.confirmed) == pytest.approx((truth + 5.0, truth + 5.0, truth - 1.0))
    assert len(asked) == kind[1] + 2 * narrowing.FRESH
    assert len({each.seed for each in asked}) == len(asked)  # nobody is judged by the draw that chose it
    assert winners_curse.biases([found], winners_curse.STAGES[0][1]) == pytest.approx([5.0])


def test_fewer_trials_are_the_beginning_of_more() -> None:
    def trials(kind: narrowing.Kind) -> list[Cycle]:
        return list(next(narrowing.search(NAME, 1, kind)))

    assert trials((True, 5)) == trials((True, 20))[:5]
    wide, narrow = trials((False, 20)), trials((True, 20))
    assert [replace(each, max_lr=1.0) for each in wide] == [replace(each, max_lr=1.0) for each in narrow]


def test_the_leader_of_the_middle_is_judged_on_other_seeds() -> None:
    rates, marks = len(mid_cycle.RATES), len(mid_cycle.MARKS)
    curves = np.zeros((3, rates, marks))
    curves[:, 2, :-1] = 50.0  # leads until the end
    curves[:, 2, -1] = 60.0
    curves[:, 7, -1] = 64.0  # wins
    curves[0, 2, -1] = 63.0  # a lucky draw, which its own choice must not count
    assert mid_cycle.stable(curves) == list(range(rates))
    made = mid_cycle.choices(curves, mid_cycle.MARKS.index(0.3), range(rates))
    assert [choice.loss for choice in made] == pytest.approx([4.0, 2.5, 2.5])
    assert all(choice.leader == mid_cycle.RATES[2] and choice.best == mid_cycle.RATES[7] for choice in made)
    curves[1, 7, -1] = 10.0  # falls off the cliff
    assert 7 not in mid_cycle.stable(curves)


@pytest.mark.parametrize(
    ("interval", "word"), [((1.2, 0.3, 2.1), "holds"), ((0.6, 0.3, 0.9), "holds in part"), ((0.4, -0.1, 0.9), "null"),
                           ((-0.4, -0.7, -0.1), "fails")]
)  # fmt: skip
def test_an_interval_around_zero_is_a_null_result(interval: tuple[float, float, float], word: str) -> None:
    assert ladder.fate(*interval) == word
