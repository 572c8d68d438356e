"""The tables of a comparison, and whether it is won, from the lines of ``record.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from benchmarks.peers.arms import ARMS, OVERRUN
from benchmarks.peers.rounds import Line
from benchmarks.report import machine, table

GUESSES = ("asha16", "asha32")
BEST_GUESS = "best_guess"
WORDS = {**{name: arm.words for name, arm in ARMS.items()}, BEST_GUESS: "ASHA, the better of both guesses"}
SHOWN = ("cycle_epochs", "max_lr", "batch_size", "weight_decay")  # of what an arm chose

Runs = Mapping[int, Line]  # by repeat
Section = Mapping[str, Runs]  # by arm, the best of both guesses among them


def report(lines: Sequence[Line]) -> str:
    """All tables, one section for each task and time, below the lines of acceptance."""
    ordered = sorted(lines, key=_place)
    sections = {place: section(list(found)) for place, found in groupby(ordered, key=_place)}
    accepted = [
        f"## Whether it is won, {seconds:g} s\n\n{_acceptance(found)}\n"
        for seconds in sorted({seconds for _, seconds in sections})
        if (found := {task: each for (task, length), each in sections.items() if length == seconds})
    ]
    tables = [_section_text(task, seconds, found) for (task, seconds), found in sections.items()]
    return f"""# Against what a careful person would do instead

`python -m benchmarks.peers --data FOLDER` on {machine()}.
The same arrays, split, model, augmentation and precision for every arm; two workers of one torch thread; the time of an
arm counts from the start of its process to its end, and who takes more than {OVERRUN - 1.0:.0%} longer is marked with
an asterisk. The arms of a repeat run back to back, their order rotated; a repeat has its own seed, which also draws the
validation part. Images are 32 x 32, mirrored and shifted at random, for `resnet9` of width 0.25; the table is for
`mlp`. All arms but ours train through the program's own training loop and never see the test part.

* **ours**: `python -m superconv_tune.search`, no target; accuracy is the mean of the fresh models in verdict.json.
* **ASHA**: Ray Tune, OptunaSearch, grace 1, reduction factor 3; one-cycles of 16 or 32 epochs with peak (0.001 to 1),
  weight decay, momentum and batch size searched; a report after every epoch (on the table, whose epochs are a few dozen
  steps, after every fifth, and 16 and 32 count reports). It delivers the weights of the best report on validation. *The
  better of both guesses* is in each repeat the one with the higher validation accuracy.
* **random search in the band**: our range test, about 3 % of the time, then complete one-cycles of one length, eight
  per worker, with peaks in its band; it delivers the best on validation.
* **the page of PyTorch**: complete one-cycles of 1, 3 and 9 epochs (on the table 5, 15 and 45) at rates a factor of 2
  to 4 apart, then fresh seeds of the longest cycle that fits, batches of 64; accuracy is the mean of the fresh models.

{"".join(f"{each}{chr(10)}" for each in [*accepted, *tables]).rstrip()}
"""


def _place(line: Line) -> tuple[str, float]:
    return str(line["task"]), float(line["seconds"])


def section(lines: Sequence[Line]) -> Section:
    """The runs of one task and time; the last line of a repeat counts, and a best guess is added where both exist."""
    found: dict[str, dict[int, Line]] = {}
    for line in lines:
        found.setdefault(line["arm"], {})[line["repeat"]] = line
    if all(guess in found for guess in GUESSES):
        left, right = (found[guess] for guess in GUESSES)
        pairs = {repeat: (left[repeat], right[repeat]) for repeat in left if repeat in right}
        found[BEST_GUESS] = {
            repeat: max(pair, key=lambda line: line["validation"] or 0.0) for repeat, pair in pairs.items()
        }
    return {name: dict(sorted(found[name].items())) for name in WORDS if name in found}


@dataclass(frozen=True)
class Difference:
    """One arm less another, repeat by repeat.

    Attributes:
        points: differences of the test accuracies in points; an arm that delivered nothing counts as 0.
    """

    points: tuple[float, ...]

    @staticmethod
    def of(left: Runs, right: Runs) -> Difference:
        """Over the repeats that both have."""
        both = [repeat for repeat in left if repeat in right]
        return Difference(tuple(100.0 * (_test(left[each]) - _test(right[each])) for each in both))

    @property
    def mean(self) -> float:
        """Mean difference."""
        return float(np.mean(self.points))

    @property
    def error(self) -> float:
        """Standard error of the mean; 0 for a single repeat, which excuses nothing."""
        count = len(self.points)
        return float(np.std(self.points, ddof=1) / math.sqrt(count)) if count > 1 else 0.0

    @property
    def wins(self) -> str:
        """In how many repeats the arm is ahead."""
        return f"{sum(each > 0.0 for each in self.points)} of {len(self.points)}"


def _test(line: Line) -> float:
    return float(line["test"] or 0.0)


@dataclass(frozen=True)
class Rule:
    """A line of acceptance.

    Attributes:
        words: what is asked.
        tasks: on which tasks, each by itself.
        left: the arm that it is about.
        right: the arm that it is compared with.
        holds: whether a difference is good enough.
    """

    words: str
    tasks: tuple[str, ...]
    left: str
    right: str
    holds: Callable[[Difference], bool]


PHOTOS, OTHERS = ("photos10", "animals20"), ("fashion", "phoneme")
RULES = (
    Rule("at least 1 point above ASHA on average", PHOTOS, "ours", BEST_GUESS, lambda d: d.mean >= 1.0),
    Rule("never more than 1 point below ASHA", PHOTOS, "ours", BEST_GUESS, lambda d: min(d.points) >= -1.0),
    Rule("at least 0.5 points above the page of PyTorch", PHOTOS, "ours", "short_ladder", lambda d: d.mean >= 0.5),
    Rule("half the time: no more than 1 below ASHA", PHOTOS, "ours_half", BEST_GUESS, lambda d: d.mean >= -1.0),
    Rule("not below ASHA by more than a standard error", OTHERS, "ours", BEST_GUESS, lambda d: d.mean >= -d.error),
)


def _acceptance(sections: Mapping[str, Section]) -> str:
    rows = []
    for rule in RULES:
        for task in rule.tasks:
            found = sections.get(task, {})
            difference = Difference.of(found.get(rule.left, {}), found.get(rule.right, {}))
            if difference.points:
                rows.append((rule.words, task, _with_error(difference), "yes" if rule.holds(difference) else "**no**"))
            else:
                rows.append((rule.words, task, "-", "not run"))
    return table(("what is asked", "task", "difference, points", "holds"), rows)


def _with_error(difference: Difference) -> str:
    return f"{difference.mean:+.2f}" + (f" ± {difference.error:.2f}" if len(difference.points) > 1 else "")


def _section_text(task: str, seconds: float, found: Section) -> str:
    results = [
        (
            WORDS[name],
            _mean(runs, "test", 100.0),
            ", ".join(_percent(line["test"]) for line in runs.values()),
            _mean(runs, "validation", 100.0),
            ", ".join(str(line["models"]) for line in runs.values()),
        )
        for name, runs in found.items()
    ]
    spent = [
        (
            WORDS[name],
            ", ".join(_wall(line) for line in runs.values()),
            f"{np.mean([line['training_share'] for line in runs.values()]):.0%}",
            ", ".join(str(line["trials"]) for line in runs.values()),
            ", ".join(f"{line['longest_epochs']:.3g}" for line in runs.values()),
            "; ".join(_chose(line) for line in runs.values()),
        )
        for name, runs in found.items()
        if name != BEST_GUESS
    ]
    differences = [
        (WORDS[name], _with_error(gain), ", ".join(f"{each:+.2f}" for each in gain.points), gain.wins)
        for name, runs in found.items()
        if name != "ours" and (gain := Difference.of(found.get("ours", {}), runs)).points
    ]
    spent_header = ("arm", "ended after, s", "training", "trainings", "longest, epochs", "chose")
    return f"""## {task}, {seconds:g} s

{table(("arm", "test accuracy, %", "every repeat", "validation, %", "models"), results)}

Ours less each of the others, paired:

{table(("arm", "points", "every repeat", "ours ahead in"), differences)}

{table(spent_header, spent)}
{_failures(found)}
"""


def _mean(runs: Runs, field: str, factor: float) -> str:
    values = [factor * line[field] for line in runs.values() if line[field] is not None]
    return f"{np.mean(values):.2f}" if values else "-"


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{100.0 * value:.2f}"


def _wall(line: Line) -> str:
    allowed = OVERRUN * ARMS[line["arm"]].share * line["seconds"]
    return f"{line['wall_s']:.0f}" + ("\\*" if line["wall_s"] > allowed else "")


def _chose(line: Line) -> str:
    return " ".join(f"{line['chose'][name]:.3g}" for name in SHOWN if name in line["chose"]) or "nothing"


def _failures(found: Section) -> str:
    failed = [
        f"\n{WORDS[name]}, repeat {repeat}: {line['failure'].splitlines()[-1]}"
        for name, runs in found.items()
        if name != BEST_GUESS
        for repeat, line in runs.items()
        if line["failure"]
    ]
    return "\n".join([f"\n`chose`: {', '.join(SHOWN)}.", *failed])
