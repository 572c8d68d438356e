"""The finding of a range test as text."""

from __future__ import annotations

from collections.abc import Sequence

from superconv_tune.finder.finding import Finding
from superconv_tune.lr.lr_range import Quality

MEANING: dict[Quality, str] = {
    "good": "ramps and probes are consistent",
    "fair": "good enough to search around",
    "poor": "a guess; search widely around it",
    "none": "no number",
}


def finding_text(found: Finding, lengths: Sequence[float]) -> str:
    """The finding and what it is based on, as lines of text.

    Args:
        found: the finding of a range test.
        lengths: cycle lengths to show, in epochs.
    """
    lines = [f"No learning rate: {found.refusal}"] if found.rule is None else _bands(found, lengths)
    lines += _ramps(found)
    lines += ["", "What each rule reads off the ramps", *_peers(found)]
    if found.notes:
        lines += ["", *found.notes]
    return "\n".join(lines)


def _bands(found: Finding, lengths: Sequence[float]) -> list[str]:
    low, high = found.range_test.prior
    rows = [f"{epochs:>9g}  {found.band(epochs)[0]:>9.3g}  {found.band(epochs)[1]:>9.3g}" for epochs in lengths]
    return [
        f"{'epochs':>9}  {'min_lr':>9}  {'max_lr':>9}",
        *rows,
        f"quality {found.quality}: {MEANING[found.quality]}; search between {low:.3g} and {high:g} times max_lr",
    ]


def _ramps(found: Finding) -> list[str]:
    ramps = found.range_test
    if ramps.refusal is not None:
        return [f"ramps: {ramps.refusal}"]
    said = [f"ramps: lowest loss at {ramps.lr_at_minimum:.3g}, edge at {ramps.edge:.3g}"]
    if ramps.spread_log2:  # 0 is what was not measured
        said.append(f"replicates differ by {ramps.spread_log2:.2f} octaves")
    if ramps.speed_log2:
        said.append(f"twice the speed moves the minimum by {ramps.speed_log2:.2f} octaves")
    return ["; ".join(said)]


def _peers(found: Finding) -> list[str]:
    ours = None if found.rule is None else found.max_lr(found.probe_epochs)
    rows = []
    for name, lr in found.peers().items():
        times = f"{lr / ours:>8.2g} times ours" if lr is not None and ours is not None else ""
        rows.append(f"  {name:<24} {'nothing' if lr is None else f'{lr:.3g}':>9}{times}")
    return rows
