"""The range test on problems with a known answer, KA1 to KA3 and KA5: ``known_answers.md``.

    python -m benchmarks.range_test.known_answers

Exits with 1 if claim 1 (edges) does not hold. KA4, KA6 and KA7 are tests (``pytest -m slow tests/finder``).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.range_test.planted import NOISES, planted
from benchmarks.range_test.quadratics import KnownEdge, least_squares, logistic_regression, true_edge
from benchmarks.report import machine
from superconv_tune.lr.lr_range import RAMP_INTERVALS
from superconv_tune.lr.pick_rules import PICK_RULES
from superconv_tune.lr.schedule import Schedule
from superconv_tune.record.purpose import EdgeTest, Purpose, RangeTest
from superconv_tune.record.trial import Ramps, TrialOutcome, TrialRequest
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker

RESULT = Path(__file__).with_name("known_answers.md")
COMMAND = "python -m benchmarks.range_test.known_answers"
WORKERS = 2
PROBLEMS = 24
MOMENTA = (0.0, 0.9)
BATCH = 32
FULL_BATCH_BOUND, MINI_BATCH_BOUND = 0.05, 0.25  # relative error, science 2.4
MOST_OUTSIDE = 0.05  # of all problems of claim 1
PLAIN_STEPS = 200
PLANTED_SEEDS = 50
PLANTED_RULES = ("lowest", "minimum", "valley", "torch_lr_finder", "lightning")

ELSEWHERE = (
    "KA4 (changes of a question that change its answer in a known way), KA6 (what a range test leaves behind) and KA7\n"
    "(degenerate inputs) are tests: `pytest -m slow tests/finder` runs all that take long. What they gave when they\n"
    "were part of this command: `benchmarks/archive/known_answers/README.md`."
)

Pair = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line of the table: ratios to the truth of what was measured.

    Attributes:
        test: KA1, KA2, KA3 or KA5.
        what: description of what was measured.
        ratios: measured value over true value, one per problem; NaN if there was none.
        bound: largest relative error that is allowed; None for no bound.
    """

    test: str
    what: str
    ratios: tuple[float, ...]
    bound: float | None = None

    @property
    def outside(self) -> int:
        """Number of ratios outside the bound, in either direction."""
        if self.bound is None:
            return 0
        return sum(not 1.0 - self.bound <= ratio <= 1.0 + self.bound for ratio in self.ratios)

    def cells(self) -> tuple[str, ...]:
        """For the table."""
        known = np.array([ratio for ratio in self.ratios if math.isfinite(ratio)])
        n = f"{len(known)}" if len(known) == len(self.ratios) else f"{len(known)} of {len(self.ratios)}"
        if len(known) == 0:
            return self.test, self.what, n, "-", "-", "-", "-", "-"
        octaves = np.log2(known)
        bound = "-" if self.bound is None else f"{self.bound:.1%}"
        outside = "-" if self.bound is None else f"{self.outside}"
        spread = float(octaves.std(ddof=1)) if len(known) > 1 else 0.0
        mean = f"{2.0 ** float(octaves.mean()):.4g}"
        return self.test, self.what, n, mean, f"{spread:.3f}", f"{known.min():.3g} to {known.max():.3g}", bound, outside


HEAD = ("test", "what", "n", "geometric mean", "sd, octaves", "range", "allowed", "outside")


def edge_of(case: KnownEdge, batch_size: int | None, seed: int) -> float:
    """The bisected edge that an edge test finds; NaN if it finds none."""
    outcome = _outcome(case, batch_size, seed, EdgeTest(), Ramps(*RAMP_INTERVALS["sgd"], finds_edge=True))
    found = outcome.range_test
    return found.edge if outcome.status == "finished" and found is not None else math.nan


def plain_edge_of(case: KnownEdge, batch_size: int | None, seed: int) -> float:
    """What a single ramp of 200 steps over the whole interval says."""
    ramps = Ramps(*RAMP_INTERVALS["sgd"], steps=PLAIN_STEPS, is_centred=False)
    found = _outcome(case, batch_size, seed, RangeTest(), ramps).range_test
    return found.edge if found is not None and found.refusal is None else math.nan


def _outcome(case: KnownEdge, batch_size: int | None, seed: int, purpose: Purpose, ramps: Ramps) -> TrialOutcome:
    request = TrialRequest(
        trial_id="known-answer",
        attempt=1,
        purpose=purpose,
        work=ramps,
        params=case.params(batch_size),
        seed=seed,
        schedule=Schedule(),
        deadline=math.inf,
    )
    return run(request, case.problem(), NullTracker(), time.time)


def _full_batch(seed: int) -> Pair:
    case = least_squares(seed, MOMENTA[seed % 2])
    return edge_of(case, None, seed) / case.edge, plain_edge_of(case, None, seed) / case.edge


def _mini_batch(seed: int) -> Pair:
    case = least_squares(1000 + seed, MOMENTA[seed % 2])
    truth = true_edge(case, BATCH)
    return edge_of(case, BATCH, seed) / truth, plain_edge_of(case, BATCH, seed) / truth


def _logistic(seed: int) -> Pair:
    case = logistic_regression(2000 + seed, MOMENTA[seed % 2])
    return edge_of(case, None, seed) / case.edge, plain_edge_of(case, None, seed) / case.edge


EDGES: Mapping[str, tuple[str, Callable[[int], Pair], float]] = {
    "KA1": ("full-batch least squares, truth 2 (1 + b) / h", _full_batch, FULL_BATCH_BOUND),
    "KA2": (f"least squares in batches of {BATCH}, truth a bisection of 3000 steps", _mini_batch, MINI_BATCH_BOUND),
    "KA3": ("full-batch logistic regression near its optimum", _logistic, FULL_BATCH_BOUND),
}


def edges(pool: ProcessPoolExecutor) -> list[Line]:
    """KA1 to KA3, and a plain ramp on the same problems."""
    lines = []
    for test, (what, measure, bound) in EDGES.items():
        pairs = list(pool.map(measure, range(PROBLEMS)))
        lines.append(Line(test, f"`edge`: {what}", tuple(pair[0] for pair in pairs), bound))
        lines.append(Line(test, f"one ramp of {PLAIN_STEPS} steps: the same", tuple(pair[1] for pair in pairs)))
    return lines


def minima() -> list[Line]:
    """KA5: planted minima, by rule and noise."""
    lines = []
    for rule in PLANTED_RULES:
        for noise in NOISES:
            picks = [PICK_RULES[rule](planted(noise, seed)) for seed in range(PLANTED_SEEDS)]
            truth = float(planted(0.0, 0).lr[np.argmin(planted(0.0, 0).loss)])
            ratios = tuple(math.nan if pick is None else pick / truth for pick in picks)
            lines.append(Line("KA5", f"planted minimum, rule `{rule}`, noise {noise:g}", ratios))
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _claim(lines: Sequence[Line]) -> tuple[str, bool]:
    of_edges = [line for line in lines if line.test in ("KA1", "KA2") and line.bound is not None]
    outside, count = sum(line.outside for line in of_edges), sum(len(line.ratios) for line in of_edges)
    sentence = f"Claim 1: {outside} of {count} edges outside, at most {MOST_OUTSIDE:.0%} allowed"
    return sentence, outside <= MOST_OUTSIDE * count


def main() -> int:
    """Measure, write and judge."""
    with ProcessPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        lines = [*edges(pool), *minima()]
    sentence, held = _claim(lines)
    text = "\n\n".join(
        [
            "# Known answers",
            f"Ratios of what was measured to the truth; 1 is right. `{COMMAND}`.\n{machine()}",
            f"* {sentence}: {'holds' if held else 'BROKEN'}.",
            _table(HEAD, [line.cells() for line in lines]),
            ELSEWHERE,
        ]
    )
    RESULT.write_text(text + "\n", encoding="utf-8")
    print(text)  # noqa: T201 - the result of a command
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
