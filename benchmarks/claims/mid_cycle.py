"""Claim 7: who leads in the middle of a cycle is not who is best at its end: ``mid_cycle.md``.

    python -m benchmarks.claims.mid_cycle

Configurations that differ in their peak learning rate alone train one whole one-cycle each, and are judged at every
tenth of it. Choosing the leader at 30 % is compared with choosing at the end, on seeds that took part in neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims.cycles import Cycle, Search, resolve
from benchmarks.report import machine
from benchmarks.report import table as markdown
from superconv_tune.verdict.statistics import interval, over_seeds

RESULT = Path(__file__).with_name("mid_cycle.md")
CASES = (("mnist1d-mlp", 30.0), ("mnist1d-bn", 30.0), ("mnist1d-cnn", 30.0))
RATES = tuple(float(f"{0.02 * 1.5**power:.3g}") for power in range(10))
SEEDS = range(4)
MARKS = tuple(tenth / 10 for tenth in range(1, 11))
JUDGED = 0.3  # of the cycle
MOST_APART = 10.0  # points between the seeds of a peak that can be an answer
EXPECTED_LOSS, LEAST_LOSS, LEAST_LOWER = 1.3, 1.0, 0.8  # points, points, share of the cases: the claim and its bound

Curves = NDArray[np.float64]  # accuracy in percent by seed, rate and mark


def cycles_of(name: str, epochs: float) -> Search[Curves]:
    """All rates and seeds of one model and length."""
    wanted = [Cycle(name, epochs, rate, seed, marks=MARKS) for seed in SEEDS for rate in RATES]
    found = yield wanted
    return np.array([each.mean(axis=1) for each in found]).reshape(len(SEEDS), len(RATES), len(MARKS))


@dataclass(frozen=True)
class Choice:
    """Choosing at a mark on one seed.

    Attributes:
        loss: points that its choice ends below that of the end of the cycle, both judged on the other seeds.
        leader: rate that leads at the mark.
        best: rate that leads at the end.
    """

    loss: float
    leader: float
    best: float


def stable(curves: Curves) -> list[int]:
    """Indices of the rates whose seeds end close together; a recipe of another would be a matter of luck."""
    finals = curves[:, :, -1]
    return [int(rate) for rate in np.flatnonzero(np.ptp(finals, axis=0) <= MOST_APART)]


def choices(curves: Curves, mark: int, rates: Sequence[int]) -> list[Choice]:
    """The choice among some of the rates that every seed would make."""
    made = []
    for seed, own in enumerate(curves):
        leader, best = (max(rates, key=lambda rate: own[rate, at]) for at in (mark, -1))
        others = np.delete(curves, seed, axis=0)[:, :, -1].mean(axis=0)
        made.append(Choice(float(others[best] - others[leader]), RATES[leader], RATES[best]))
    return made


@dataclass(frozen=True)
class Result:
    """Choosing in the middle, over all cases.

    Attributes:
        by_case: the choices of every model and length.
        loss: points, mean over models and lengths.
        interval: of it, 95 %, Student's.
        lower: share of the cases in which the leader's peak is the lower one.
        higher: in which it is the higher one.
    """

    by_case: Mapping[tuple[str, float], list[Choice]]
    loss: float
    interval: tuple[float, float]
    lower: float
    higher: float


def judge(found: Mapping[tuple[str, float], Curves], *, only_stable: bool) -> Result:
    """What choosing at `JUDGED` costs."""
    by_case = {
        case: choices(curves, MARKS.index(JUDGED), stable(curves) if only_stable else range(len(RATES)))
        for case, curves in found.items()
    }
    spread = over_seeds([float(np.mean([choice.loss for choice in made])) for made in by_case.values()])
    every = [choice for made in by_case.values() for choice in made]
    return Result(
        by_case,
        spread.mean,
        interval(spread, 0.95),
        lower=float(np.mean([choice.leader < choice.best for choice in every])),
        higher=float(np.mean([choice.leader > choice.best for choice in every])),
    )


def report(found: Mapping[tuple[str, float], Curves]) -> str:
    """The recorded result."""
    steady, every = judge(found, only_stable=True), judge(found, only_stable=False)
    kept = {case: stable(curves) for case, curves in found.items()}
    by_mark = [
        (
            name,
            f"{epochs:g}",
            *(
                float(np.mean([c.loss for c in choices(curves, mark, kept[name, epochs])]))
                for mark in range(len(MARKS) - 1)
            ),
        )
        for (name, epochs), curves in found.items()
    ]
    return f"""# The leader in the middle of a cycle

`python -m benchmarks.claims.mid_cycle` on {machine()}.
MNIST-1D, 4,000 training examples, 10,000 held out; SGD, batches of 100, one-cycle. {len(RATES)} peaks from
{RATES[0]:g} to {RATES[-1]:g}, a factor of 1.5 apart; {len(SEEDS)} seeds. On each seed the peak is chosen that leads at
{JUDGED:.0%} of the cycle, and the one that leads at its end; what both reach at their ends is the mean of the other
seeds, so that neither is flattered by its own draw.

{_table(every)}

Peaks are medians over the seeds.

* Claim 7, the leader at {JUDGED:.0%} of a cycle of 30 epochs or more ends {EXPECTED_LOSS:g} points or more below the
  best (fails below {LEAST_LOSS:g} on average), and its peak is lower in {LEAST_LOWER:.0%} of the cases or more:
  **{fate(every.loss, every.lower)}**.
  {_told(every)}
* The same without the peaks whose seeds end more than {MOST_APART:g} points apart
  ({_left_out(kept)}): **{fate(steady.loss, steady.lower)}**.
  {_told(steady)}

The second line was added after the first had been seen. Where the cliff is steep, the best peak of one seed may fall
off it with the next; then the end of one cycle is no better a judge than its middle, and only fresh seeds are.

## Without the peaks that fall off the cliff with some seeds

{_table(steady)}

Points lost by choosing at other places of the cycle:

{markdown(("model", "epochs", *(f"{mark:.0%}" for mark in MARKS[:-1])), by_mark)}
"""


def _table(result: Result) -> str:
    rows = [
        (
            name,
            f"{epochs:g}",
            _median([choice.leader for choice in made]),
            _median([choice.best for choice in made]),
            float(np.mean([choice.loss for choice in made])),
            max(choice.loss for choice in made),
            f"{sum(choice.leader < choice.best for choice in made)} of {len(made)}",
        )
        for (name, epochs), made in result.by_case.items()
    ]
    header = ("model", "epochs", "leader's peak", "best peak", "points lost", "at most", "leader is lower")
    return markdown(header, rows)


def _told(result: Result) -> str:
    low, high = result.interval
    return (
        f"{result.loss:.2f} points on average over {len(result.by_case)} rows (95 % interval {low:.2f} to {high:.2f}, "
        f"Student's);\n  the leader's peak is lower in {result.lower:.0%} of the cases, higher in {result.higher:.0%}."
    )


def _left_out(kept: Mapping[tuple[str, float], Sequence[int]]) -> str:
    told = [
        f"{', '.join(f'{rate:g}' for index, rate in enumerate(RATES) if index not in rates)} of {name}"
        for (name, _), rates in kept.items()
        if len(rates) < len(RATES)
    ]
    return "; ".join(told) or "none"


def fate(loss: float, lower: float) -> str:
    """What became of the claim."""
    if loss < LEAST_LOSS:
        return "fails"
    return "holds" if loss >= EXPECTED_LOSS and lower >= LEAST_LOWER else "holds in part"


def _median(rates: Sequence[float]) -> str:
    return f"{float(np.median(rates)):.3g}"


def main() -> None:
    """Train what is missing, write the result."""
    found = resolve([cycles_of(*case) for case in CASES])
    RESULT.write_text(report(dict(zip(CASES, found, strict=True))), encoding="utf-8")


if __name__ == "__main__":
    main()
