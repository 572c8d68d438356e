"""The tables of a comparison, from the lines of ``runs.jsonl``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from benchmarks.peers.competitors import CORES, NAMES, OURS, PEERS
from benchmarks.report import machine, table

Line = Mapping[str, Any]
WORDS = {
    "ours": "ours",
    "ours_half": "ours, half the time",
    "ray_asha": "Ray Tune, OptunaSearch, ASHA",
    "fastai": "fastai's recipe by hand",
    "optuna_median": "Optuna TPE, median pruner",
}


def report(lines: Sequence[Line]) -> str:
    """All comparisons, one section for each data set and time."""
    ordered = sorted(lines, key=_place)
    sections = [_section(*place, list(found)) for place, found in groupby(ordered, key=_place)]
    return f"""# Against what a user would pick instead

`python -m benchmarks.peers --minutes M --repeats R --data NAME` on {machine()}.
Same data, split, model and minutes; {CORES} cores; the order rotated; each competitor a process of its own, whose clock
starts with the process. The test accuracy of what each delivers is compared, and nothing is trained again for it. A
peer delivers the model of its best validation accuracy. Ours delivers a recipe: its accuracy is the mean of the fresh
models that confirmed it; `one model` is, for every competitor, the single model with the best validation accuracy (for
ours among those that confirmed). The peers train from tensors in memory with a fused optimizer and look at the
validation part after every epoch. Ray Tune and Optuna search learning rate (log-uniform in [1e-4, 1]), weight decay and
batch size under a cosine, two trainings at once, none longer than our own search may try; fastai's recipe is one range
test of 100 steps, the valley, and one-cycle of 1, 2, 4, 8 … epochs with fastai's defaults on two threads.

{"".join(sections).rstrip()}
"""


def _place(line: Line) -> tuple[str, float, str]:
    return line["data"], line["minutes"], line["label"]


def _section(data: str, minutes: float, label: str, lines: list[Line]) -> str:
    by_name = {name: sorted(_of(lines, name), key=lambda line: int(line["repeat"])) for name in NAMES}
    present = {name: found for name, found in by_name.items() if found}
    accuracies = [
        (
            WORDS[name],
            _percent(line["delivered"] for line in found),
            _percent(line["single"] for line in found),
            ", ".join(_in_percent(line["delivered"]) for line in found),
            "; ".join(line["note"] for line in found),
        )
        for name, found in present.items()
    ]
    minutes_went = [
        (
            WORDS[name],
            f"{np.mean([line['wall_s'] for line in found]):.1f} s",
            f"{np.mean([line['start_up_s'] for line in found]):.1f} s",
            *(_share(found, field) for field in ("training_s", "evaluation_s", "idle_s")),
        )
        for name, found in present.items()
    ]
    header = ("competitor", "test accuracy, %", "one model, %", "every repeat", "what it ran")
    went = ("competitor", "ended after", "first training step after", "training", "evaluation", "neither")
    against = ("peer", "ours above it, points", "higher in", "half the time enough in", "ours had its accuracy after",
               "it had ours after")  # fmt: skip
    compared = [_compared(present, peer) for peer in PEERS if peer in present and "ours" in present]
    return f"""## {data}, {minutes:g} minutes{f": {label}" if label else ""}

{table(header, accuracies)}

{table(against, compared)}

Repeat by repeat. `half the time enough`: ours, run again with half the minutes, ends no lower than the peer does with
all of them. `ours had its accuracy after`: seconds until our first confirmed model reached the peer's final accuracy;
`it had ours after`: until the peer's model of the best validation accuracy reached our final one; `-` for never.

Where the minutes went, as shares of {CORES} cores times the budget:

{table(went, minutes_went)}

"""


def _of(lines: Iterable[Line], name: str) -> list[Line]:
    return [line for line in lines if line["competitor"] == name]


def _compared(present: Mapping[str, list[Line]], peer: str) -> tuple[str, ...]:
    """One row: ours against a peer; repeats in which one of them has nothing to compare are left out."""
    pairs = [
        (ours, theirs)
        for ours, theirs in _paired(present["ours"], present[peer])
        if ours["delivered"] is not None and theirs["delivered"] is not None
    ]
    gains = [100.0 * (ours["delivered"] - theirs["delivered"]) for ours, theirs in pairs]
    halves = [
        half["delivered"] is not None and half["delivered"] >= theirs["delivered"]
        for half, theirs in _paired(present.get("ours_half", []), present[peer])
        if theirs["delivered"] is not None
    ]
    return (
        WORDS[peer],
        f"{np.mean(gains):+.2f} ({', '.join(f'{gain:+.2f}' for gain in gains)})" if gains else "-",
        f"{sum(gain > 0.0 for gain in gains)} of {len(gains)}",
        f"{sum(halves)} of {len(halves)}",
        ", ".join(_when(ours, theirs["delivered"]) for ours, theirs in pairs),
        ", ".join(_when(theirs, ours["delivered"]) for ours, theirs in pairs),
    )


def _paired(left: Sequence[Line], right: Sequence[Line]) -> list[tuple[Line, Line]]:
    """Runs of the same repeat; where a command was given twice, the later lines count."""
    by_repeat = {line["repeat"]: line for line in right}
    return [(line, by_repeat[line["repeat"]]) for line in left if line["repeat"] in by_repeat]


def _when(line: Line, wanted: float) -> str:
    """Seconds until a delivered model of a run had an accuracy."""
    reached = [each["after_s"] for each in line["trace"] if each["test"] >= wanted]
    return f"{min(reached):.0f} s" if reached else "-"


def _percent(values: Iterable[float | None]) -> str:
    found = [100.0 * value for value in values if value is not None]
    return f"{np.mean(found):.2f}" if found else "-"


def _in_percent(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:.2f}"


def _share(found: Sequence[Line], field: str) -> str:
    shares = [line[field] / (CORES * 60.0 * line["minutes"] * OURS.get(line["competitor"], 1.0)) for line in found]
    return f"{np.mean(shares):.0%}"
