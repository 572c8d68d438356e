"""Claim 8: at equal compute a ladder of full cycles beats ASHA on the accuracy in a cycle: ``ladder.md``.

    python -m benchmarks.claims.ladder

Both draw the same configurations from the space that the range test has narrowed, and deliver one for cycles of the
same length. The ladder trains whole cycles of a ninth and a third of that length first. ASHA (Li et al. 2020,
arXiv:1810.05934, algorithm 2, one worker) trains long cycles and goes on with those that lead after a ninth and a third
of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.claims.cycles import NAMES, Cycle, Search, resolve, seeded
from benchmarks.claims.searches import LADDER, TRIALS, TRUTH, Candidate, Parts, draws, narrowed, pick, seeds
from benchmarks.report import machine
from benchmarks.report import table as markdown
from superconv_tune.verdict.statistics import interval, over_seeds

RESULT = Path(__file__).with_name("ladder.md")
EPOCHS = 18.0  # of the cycle that is delivered
ETA = 3
SHARES = (1 / 9, 1 / 3, 1.0)  # of it, at the rungs of both
WIDTHS = (18, 6, 2)  # cycles at the rungs of the ladder
BUDGET = sum(width * share for width, share in zip(WIDTHS, SHARES, strict=True))  # in cycles of full length
SEARCHES = range(20)
FRESH = 2  # models that tell the truth of what a search delivers
EXPECTED_GAIN = 1.0  # points; the claim is null where the interval of the gain includes 0
METHODS = ("ladder", "asha")


@dataclass(frozen=True)
class Delivered:
    """What a search came to.

    Attributes:
        truth: mean accuracy, in percent, of fresh models on examples that the search has not seen.
        max_lr: the peak that it delivers.
        spent: compute, in cycles of full length.
        drawn: configurations that it looked at.
    """

    truth: float
    max_lr: float
    spent: float
    drawn: int


@dataclass(frozen=True)
class Field:
    """The configurations of one search, which both methods see in the same order.

    Attributes:
        name: of the task.
        number: of the search.
    """

    name: str
    number: int

    def candidates(self) -> Iterator[Candidate]:
        """From the narrowed space, endless."""
        return draws(narrowed(), self.name, self.number)

    def seeds(self, *key: int) -> Iterator[int]:
        """Of a stream of the search."""
        return seeds(*key, NAMES.index(self.name), self.number)

    def cycle(self, candidate: Candidate, epochs: float, seed: int) -> Cycle:
        """A whole cycle, with the peak that the range test says for its length."""
        max_lr = candidate.lr * pick(self.name, self.number, epochs)
        return candidate.cycle(self.name, epochs, max_lr, seed)

    def judge(self, candidate: Candidate, spent: float, drawn: int) -> Search[Delivered]:
        """Fresh models of what is delivered."""
        cycle = self.cycle(candidate, EPOCHS, 0)
        found = yield seeded(cycle, islice(self.seeds(TRUTH), FRESH))
        return Delivered(Parts.of(self.name, self.number).truth(found), cycle.max_lr, spent, drawn)


def ladder(field: Field) -> Search[Delivered]:
    """Whole cycles of growing length; the best third goes on, each time from another seed."""
    block = Parts.of(field.name, field.number).validation
    alive = list(islice(field.candidates(), WIDTHS[0]))
    for rung, (width, share) in enumerate(zip(WIDTHS, SHARES, strict=True)):
        alive = alive[:width]
        fresh = field.seeds(LADDER, rung)
        found = yield [field.cycle(each, share * EPOCHS, seed) for each, seed in zip(alive, fresh, strict=False)]
        order = np.argsort([-each[-1, block] for each in found], kind="stable")
        alive = [alive[index] for index in order]
    return (yield from field.judge(alive[0], BUDGET, WIDTHS[0]))


class Rungs:
    """What ASHA knows: values by rung and configuration, and who was promoted."""

    def __init__(self) -> None:
        self.values: list[dict[int, float]] = [{} for _ in SHARES]
        self._promoted: list[set[int]] = [set() for _ in SHARES]
        self.drawn = 0

    def next(self) -> tuple[int, int]:
        """(configuration, rung) of the next job: a promotion from the highest rung that has one, or a new draw."""
        for rung in reversed(range(len(SHARES) - 1)):
            values, promoted = self.values[rung], self._promoted[rung]
            leaders = sorted(values, key=lambda index: -values[index])[: len(values) // ETA]
            waiting = [index for index in leaders if index not in promoted]
            if waiting:
                promoted.add(waiting[0])
                return waiting[0], rung + 1
        self.drawn += 1
        return self.drawn - 1, 0

    def best(self) -> int:
        """Who leads the highest rung that anybody has reached."""
        top = next(values for values in reversed(self.values) if values)
        return max(top, key=lambda index: top[index])


def asha(field: Field) -> Search[Delivered]:
    """Long cycles in parts, until the ladder's compute is spent; a job that began inside it is finished.

    A part is paid for once, as if every cycle were continued from a checkpoint (here it is trained again to the same
    values).
    """
    block = Parts.of(field.name, field.number).validation
    source, trial_seeds, rungs = field.candidates(), field.seeds(TRIALS), Rungs()
    cycles: list[tuple[Candidate, Cycle]] = []
    spent = 0.0
    while spent < BUDGET:
        index, rung = rungs.next()
        if index == len(cycles):
            candidate = next(source)
            cycles.append((candidate, field.cycle(candidate, EPOCHS, next(trial_seeds))))
        spent += SHARES[rung] - (SHARES[rung - 1] if rung else 0.0)
        (found,) = yield [replace(cycles[index][1], marks=(SHARES[rung],))]
        rungs.values[rung][index] = float(found[-1, block])
    return (yield from field.judge(cycles[rungs.best()][0], spent, rungs.drawn))


Found = dict[tuple[str, str], list[Delivered]]


def report(found: Found) -> str:
    """The recorded result."""
    rows = [
        (
            name,
            method,
            float(np.mean([each.truth for each in delivered])),
            float(np.std([each.truth for each in delivered], ddof=1)),
            min(each.truth for each in delivered),
            f"{float(np.median([each.max_lr for each in delivered])):.3g}",
            float(np.mean([each.drawn for each in delivered])),
            float(np.mean([each.spent for each in delivered])),
        )
        for (name, method), delivered in found.items()
    ]
    gains = [(name, *_gain(found, [name])) for name in NAMES]
    mean, low, high = _gain(found, NAMES)
    header = ("model", "search", "accuracy, %", "deviation", "worst", "median peak", "configurations", "compute")
    told = [(name, gain, f"{least:.2f} to {most:.2f}", fate(gain, least, most)) for name, gain, least, most in gains]
    return f"""# A ladder of full cycles against ASHA

`python -m benchmarks.claims.ladder` on {machine()}.
MNIST-1D, 4,000 training examples; SGD, batches of 100. {len(SEARCHES)} searches of each kind and model for the best
configuration of a one-cycle of {EPOCHS:g} epochs, in the space that the range test has narrowed (factors of
{narrowed().low:g} to {narrowed().high:g} on its pick; momentum, weight decay and warm-up share as in the project's
default space), both from the same draws and judged on the same 1,000 validation examples. Ladder: {WIDTHS[0]} whole
cycles of {SHARES[0] * EPOCHS:g} epochs, {WIDTHS[1]} of {SHARES[1] * EPOCHS:g}, {WIDTHS[2]} of {EPOCHS:g}. ASHA:
eta {ETA}, rungs at a ninth and a third of the long cycle, promotions from checkpoints that cost nothing, as many
configurations as the ladder's compute allows, and a last job that may run over it. The accuracy is that of {FRESH}
fresh models of what is delivered, on 8,000 examples that the search has not seen; compute is in long cycles.

{markdown(header, rows)}

{markdown(("model", "ladder above ASHA, points", "interval", "result"), told)}

* Claim 8, the ladder ends {EXPECTED_GAIN:g} point or more above ASHA (null where the 95 % interval, Student's on paired
  searches, includes 0): **{fate(mean, low, high)}** over the three models. {mean:+.2f} points ({low:.2f} to
  {high:.2f}).
"""


def fate(gain: float, low: float, high: float) -> str:
    """What became of the claim."""
    if high < 0.0:
        return "fails"
    if low <= 0.0:
        return "null"
    return "holds" if gain >= EXPECTED_GAIN else "holds in part"


def _gain(found: Found, names: Sequence[str]) -> tuple[float, float, float]:
    """Points of the ladder above ASHA, with Student's 95 % interval."""
    differences = [
        ours.truth - theirs.truth
        for name in names
        for ours, theirs in zip(found[name, "ladder"], found[name, "asha"], strict=True)
    ]
    spread = over_seeds(differences)
    return (spread.mean, *interval(spread, 0.95))


def main() -> None:
    """Train what is missing, write the result."""
    methods = {"ladder": ladder, "asha": asha}
    keys = [(name, method) for name in NAMES for method in METHODS]
    found = iter(resolve([methods[method](Field(name, number)) for name, method in keys for number in SEARCHES]))
    RESULT.write_text(report({key: list(islice(found, len(SEARCHES))) for key in keys}), encoding="utf-8")


if __name__ == "__main__":
    main()
