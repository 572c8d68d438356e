"""Which cycle is recorded next, how a recording goes on, and that what is measured beside a cycle leaves it alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.cycles.__main__ import COLUMNS
from benchmarks.cycles.cells import CHEAP, DEFAULT_DECAY, RATES, USUAL, Cell, best_rate, table_of, wanted
from benchmarks.cycles.tasks import TASKS, problem_of
from benchmarks.cycles.training import train, trained
from superconv_tune.core.hyperparameters import Hyperparameters

TASK = "photos1000-sgd"
FIRST_LOOK = RATES["sgd"][1::2]


def row(cell: Cell, status: str = "finished", test: str = "0.5") -> dict[str, str]:
    values = dict.fromkeys(COLUMNS, "") | dict(zip(COLUMNS, cell.key, strict=False))
    return values | {"status": status, "test": test}


def first_look(best: int, size: int = USUAL) -> dict[Cell, float | None]:
    return {Cell(TASK, 1, size, rate): 0.5 - 0.01 * abs(rate - best) for rate in range(1, 12, 2)}


def asked(table: dict[Cell, float | None], epochs: int, size: int = USUAL) -> list[int]:
    cells = wanted(table, (TASK,))
    return [cell.rate for cell in cells if (cell.epochs, cell.batch_size, cell.seed) == (epochs, size, 0)]


def test_an_empty_table_wants_a_first_look_at_every_task() -> None:
    first = list(islice(wanted({}, tuple(TASKS)), 10))
    assert [cell.task for cell in first] == [name for name in TASKS if name not in CHEAP]
    assert {(cell.epochs, cell.batch_size, cell.seed) for cell in first} == {(1, USUAL, 0)}


def test_only_the_named_tasks_are_wanted() -> None:
    assert {cell.task for cell in wanted({}, ("german-sgd", TASK))} == {"german-sgd", TASK}


def test_a_row_tells_its_cell() -> None:
    cells = [Cell(name, 9, 32, 7, weight_decay=0.05, clip=True, seed=2) for name in ("photos10-adamw", TASK)]
    assert [Cell.of(row(cell)) for cell in cells] == cells
    assert {Cell.of(row(cell)) for cell in wanted({}, tuple(TASKS))} == set(wanted({}, tuple(TASKS)))


def test_what_the_table_has_is_not_wanted_again() -> None:
    every = list(wanted({}, ("digits-sgd",)))
    done = table_of([row(cell) for cell in every[:100]])
    assert set(wanted(done, ("digits-sgd",))) == set(every[100:])
    assert len(set(every)) == len(every)


def test_longer_cycles_are_named_once_the_first_look_is_complete() -> None:
    found = first_look(best=5)
    *_, last = found
    assert asked(found, 3) == [5, 6, 4, 7, 3, 8, 2]
    assert asked({cell: value for cell, value in found.items() if cell != last}, 3) == []


def test_rates_beyond_the_grid_are_left_out() -> None:
    assert asked(first_look(best=11), 3) == [11, 10, 9, 8]


def test_a_diverged_cycle_is_never_the_best() -> None:
    cells = [Cell(TASK, 1, USUAL, rate) for rate in (3, 5)]
    table = table_of([row(cells[0]), row(cells[1], "diverged", "")])
    assert best_rate(table, TASK, 1, USUAL) == 3


def test_where_the_border_wins_the_next_rate_is_wanted() -> None:
    table = first_look(best=5) | {Cell(TASK, 3, USUAL, rate): 0.6 - 0.01 * abs(rate - 5) for rate in range(3, 8)}
    assert asked(table, 9) == [5, 6, 4, 7]
    rising = table | {Cell(TASK, 9, USUAL, rate): 0.7 + 0.01 * rate for rate in (4, 5, 6, 7)}
    assert asked(rising, 9) == [8]
    assert asked(rising, 27) == []  # the best at 9 epochs is not known yet
    settled = rising | {Cell(TASK, 9, USUAL, 8): 0.7}
    assert asked(settled, 9) == []
    assert asked(settled, 27) == [7, 8, 6]


def test_a_recording_ends() -> None:
    table: dict[Cell, float | None] = {}
    while (cell := next(wanted(table, (TASK,)), None)) is not None:
        table[cell] = 0.5 + 0.01 * cell.epochs - 0.01 * abs(cell.rate - 5)
    assert {cell.epochs for cell in table} == {1, 3, 9, 27, 81}
    assert {cell.rate for cell in table if cell.epochs == 1} == set(range(len(RATES["sgd"])))
    assert {cell.weight_decay for cell in table} == {DEFAULT_DECAY}


@pytest.mark.parametrize("clip", [False, True])
def test_what_is_measured_beside_a_cycle_leaves_it_alone(clip: bool) -> None:
    cell, nowhere = Cell("digits-sgd", 1, 64, 6, clip=clip), Path("nowhere")
    problem = problem_of(cell.task, nowhere)
    params = replace(Hyperparameters(), cycle_epochs=1.0, batch_size=64)
    alone, found = trained(problem, params, cell.max_lr, 0), train(cell, nowhere)
    assert (found.steps, found.status) == (alone.steps, "finished")
    assert (found.validation == alone.validation) is not clip
    assert found.averaged_validation == pytest.approx(found.validation, abs=0.1)
