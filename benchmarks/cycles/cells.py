"""Which cycle is worth training next, given the table so far: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from benchmarks.cycles.tasks import TASKS
from superconv_tune.core.hyperparameters import Hyperparameters

RATES: Mapping[str, tuple[float, ...]] = {
    "sgd": tuple(0.0016 * 2.0**power for power in range(12)),
    "adamw": tuple(1e-4 * 2.0**power for power in range(11)),
}
SIZES = (64, 128, 32, 256)  # the most important first
USUAL = SIZES[0]
LENGTHS = (1, 3, 9, 27, 81)
EVERY = 2  # rates of the grid between two of the first look
DEFAULT_DECAY = Hyperparameters().weight_decay
CHEAP = ("phoneme-sgd", "phoneme-adamw", "german-sgd", "digits-sgd")  # of which everything is trained
VARIED = ("photos10-sgd", "animals20-sgd", "fashion-sgd", "phoneme-sgd")
LONG = ("photos10-plain-sgd", "photos1000-sgd", "photos5-sgd", "photos10-adamw")  # trained for 81 epochs too
VARIED_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Cell:
    """One cycle.

    Attributes:
        task: name of the task.
        epochs: its length.
        batch_size: examples per step.
        rate: index of its peak in the grid of the task's optimizer.
        weight_decay: as in the program.
        label_smoothing: as in the program.
        clip: whether the norm of gradients is clipped.
        seed: as in the program.
    """

    task: str
    epochs: int
    batch_size: int
    rate: int
    weight_decay: float = DEFAULT_DECAY
    label_smoothing: float = 0.0
    clip: bool = False
    seed: int = 0

    @property
    def max_lr(self) -> float:
        """The peak."""
        return float(f"{_grid(self.task)[self.rate]:.6g}")

    @property
    def key(self) -> tuple[str, ...]:
        """The cycle as the first columns of the table."""
        rest = (self.weight_decay, self.label_smoothing, int(self.clip), self.seed)
        return (self.task, str(self.epochs), str(self.batch_size), *(f"{value:g}" for value in (self.max_lr, *rest)))

    @staticmethod
    def of(row: Mapping[str, str]) -> Cell:
        """The cycle of a row of the table."""
        max_lr, grid = float(row["max_lr"]), _grid(row["task"])
        return Cell(
            row["task"],
            int(row["epochs"]),
            int(row["batch_size"]),
            min(range(len(grid)), key=lambda rate: abs(grid[rate] - max_lr)),
            float(row["weight_decay"]),
            float(row["label_smoothing"]),
            row["clip"] == "1",
            int(row["seed"]),
        )


# The test accuracy of every cell so far, which is of more items than that of the validation part; None where it did not
# finish.
Table = Mapping[Cell, float | None]


def table_of(rows: Sequence[Mapping[str, str]]) -> dict[Cell, float | None]:
    """The table, from the rows of the file."""
    return {Cell.of(row): float(row["test"]) if row["status"] == "finished" else None for row in rows}


def wanted(table: Table, names: Sequence[str]) -> Iterator[Cell]:
    """The cells that the table lacks, most informative first; what depends on others is named once those are there."""
    given = set(table)
    for cell in _levels(table, names):
        if cell not in given:
            given.add(cell)
            yield cell


def _levels(table: Table, names: Sequence[str]) -> Iterator[Cell]:
    images = [name for name in names if name not in CHEAP]
    cheap = [name for name in names if name in CHEAP]
    yield from _coarse(images, SIZES[:2])
    yield from _all(cheap, LENGTHS[:2])
    for sizes, short, long in (
        (SIZES[:1], (0, 1, -1, 2, -2), (0, 1, -1, 2)),
        (SIZES[1:], (0, 1, -1), (0, 1, -1)),
    ):
        yield from _around(table, images, 3, sizes, short)
        yield from _all(cheap, LENGTHS[2:4])
        yield from _around(table, images, 9, sizes, long)
        yield from _border(table, images, 9, sizes)
        yield from _coarse(images, SIZES[2:])
    yield from _all(cheap, LENGTHS[4:])
    yield from _around(table, images, 27, SIZES[:1], (0, 1, -1))
    yield from _border(table, images, 27, SIZES[:1])
    yield from _around(table, [name for name in images if name in LONG], 81, SIZES[:1], (0, -1, 1, -2))
    yield from _all(cheap, LENGTHS, seed=1)
    varied = [name for name in names if name in VARIED]
    yield from _variations(table, varied, 9)
    for sizes in (SIZES[:1], SIZES[1:]):
        yield from _around(table, images, 9, sizes, (0, 1, -1), seed=1)
        yield from _around(table, images, 3, sizes, (0, 1, -1), seed=1)
        if USUAL in sizes:
            yield from _variations(table, varied, 27)
            yield from _other_size(table, images)
    yield from _around(table, images, 3, SIZES, (2, -2, 3, -3))
    yield from _all(images, (1,))
    yield from _all(images, (1,), seed=1)


def _coarse(names: Sequence[str], sizes: Sequence[int]) -> Iterator[Cell]:
    """One epoch at every second rate."""
    for size, rate, name in product(sizes, range(1, _most(names), EVERY), names):
        if rate < len(_grid(name)):
            yield Cell(name, 1, size, rate)


def _all(names: Sequence[str], lengths: Sequence[int], seed: int = 0) -> Iterator[Cell]:
    """All sizes and rates."""
    for epochs, size, rate, name in product(lengths, SIZES, range(_most(names)), names):
        if rate < len(_grid(name)):
            yield Cell(name, epochs, size, rate, seed=seed)


def _around(
    table: Table, names: Sequence[str], epochs: int, sizes: Sequence[int], steps: Sequence[int], seed: int = 0
) -> Iterator[Cell]:
    """Cells so many steps of the grid around the best rate of the next shorter length."""
    shorter = LENGTHS[LENGTHS.index(epochs) - 1]
    for size, step, name in product(sizes, steps, names):
        best = best_rate(table, name, shorter, size)
        if best is not None and 0 <= best + step < len(_grid(name)) and _is_settled(table, name, shorter, size):
            yield Cell(name, epochs, size, best + step, seed=seed)


def _border(table: Table, names: Sequence[str], epochs: int, sizes: Sequence[int]) -> Iterator[Cell]:
    """The next rate where the best one is the lowest or the highest of those that were trained."""
    for size, name in product(sizes, names):
        best, found = best_rate(table, name, epochs, size), _rates(table, name, epochs, size)
        if best is None or len(found) < 3:
            continue
        for beyond in {best - 1, best + 1} - set(found):
            if 0 <= beyond < len(_grid(name)):
                yield Cell(name, epochs, size, beyond)


def _other_size(table: Table, names: Sequence[str]) -> Iterator[Cell]:
    """27 epochs with the best size of every task beside the usual one."""
    best = {name: _best_other_size(table, name, 9) for name in names}
    sizes = [(name, size) for name, size in best.items() if size is not None]
    for step, (name, size) in product((0, 1, -1), sizes):
        yield from _around(table, (name,), 27, (size,), (step,))
    for name, size in sizes:
        yield from _border(table, (name,), 27, (size,))


def _variations(table: Table, names: Sequence[str], epochs: int) -> Iterator[Cell]:
    """More weight decay, label smoothing and clipping, each beside the plain cell of the same seed."""
    for seed, name in product(VARIED_SEEDS, names):
        best = best_rate(table, name, epochs, USUAL)
        if best is not None and _is_settled(table, name, epochs, USUAL):
            plain = Cell(name, epochs, USUAL, best, seed=seed)
            yield plain
            yield replace(plain, weight_decay=5e-3)
            yield replace(plain, label_smoothing=0.1)
            yield replace(plain, clip=True)
            yield replace(plain, weight_decay=0.05)


def best_rate(table: Table, name: str, epochs: int, size: int) -> int | None:
    """The rate of the plain cell of the first seed with the highest test accuracy; None if none has finished."""
    values = {rate: value for rate, value in _rates(table, name, epochs, size).items() if value is not None}
    return max(values, key=lambda rate: values[rate]) if values else None


def _best_other_size(table: Table, name: str, epochs: int) -> int | None:
    reached = {
        size: max((value for value in _rates(table, name, epochs, size).values() if value is not None), default=0.0)
        for size in SIZES[1:]
        if _is_settled(table, name, epochs, size)
    }
    return max(reached, key=lambda size: reached[size]) if len(reached) == len(SIZES) - 1 else None


def _is_settled(table: Table, name: str, epochs: int, size: int) -> bool:
    """Whether the best rate of this length is known: its first look is complete, or its border does not win."""
    found, grid = _rates(table, name, epochs, size), range(len(_grid(name)))
    if epochs == 1:
        return set(grid[1::EVERY]) <= set(found)
    best = best_rate(table, name, epochs, size)
    return best is not None and {rate for rate in (best - 1, best, best + 1) if rate in grid} <= set(found)


def _rates(table: Table, name: str, epochs: int, size: int) -> dict[int, float | None]:
    """The plain cells of the first seed, by rate."""
    cells = (Cell(name, epochs, size, rate) for rate in range(len(_grid(name))))
    return {cell.rate: table[cell] for cell in cells if cell in table}


def _grid(name: str) -> tuple[float, ...]:
    return RATES[TASKS[name].optimizer]


def _most(names: Sequence[str]) -> int:
    return max((len(_grid(name)) for name in names), default=0)
