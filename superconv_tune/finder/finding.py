"""The result of a stand-alone range test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import geometric_mean

from matplotlib.figure import Figure

from superconv_tune.core.curve import Curve
from superconv_tune.figures.range_test import draw_finding
from superconv_tune.lr.horizon import HorizonRule
from superconv_tune.lr.lr_range import BAND_DIVISOR, Quality, RangeTestResult
from superconv_tune.lr.pick_rules import PICK_RULES
from superconv_tune.lr.rate_grid import ProbeGrid
from superconv_tune.record.trial import Status

LENGTHS = (1.0, 3.0, 10.0, 30.0)  # epochs that a band is shown for


@dataclass(frozen=True)
class ProbeResult:
    """One complete short cycle.

    Attributes:
        max_lr: peak learning rate.
        seed: seed of its weights and batches.
        status: how it ended.
        loss: validation loss at its end; None if it did not finish.
        steps: number of optimizer steps.
    """

    max_lr: float
    seed: int
    status: Status
    loss: float | None
    steps: int


@dataclass(frozen=True)
class Finding:
    """The answer of a range test.

    Attributes:
        range_test: result of all ramps together.
        ramps: the fine ramp of each replicate, raw.
        sweeps: the coarse ramp of each replicate, raw; close to the ramps of other programs.
        probes: complete short cycles, in the order of running; none if a rule that reads ramps was requested.
        probe_epochs: length of the probes in epochs.
        untrained_loss: loss before any training; None if unknown.
        rule: gives the peak for any cycle length; None with a refusal.
        quality: how far the number can be trusted.
        refusal: why there is no number; None if there is one.
        notes: what else the user should know, in sentences.
        steps: number of optimizer steps spent in all.
    """

    range_test: RangeTestResult
    ramps: tuple[Curve, ...]
    sweeps: tuple[Curve, ...]
    probes: tuple[ProbeResult, ...]
    probe_epochs: float
    untrained_loss: float | None
    rule: HorizonRule | None
    quality: Quality
    refusal: str | None
    notes: tuple[str, ...]
    steps: int

    def max_lr(self, epochs: float) -> float:
        """The peak for a one-cycle of this many epochs.

        Raises:
            ValueError: if the range test gave no number; ``refusal`` says why.
        """
        if self.rule is None:
            raise ValueError(f"The range test found no learning rate: {self.refusal}")
        return self.rule.max_lr(epochs)

    def band(self, epochs: float) -> tuple[float, float]:
        """(min_lr, max_lr) for cycles of this many epochs: a tenth of the peak, and the peak.

        Raises:
            ValueError: as `max_lr`.
        """
        top = self.max_lr(epochs)
        return top / BAND_DIVISOR, top

    @property
    def grid(self) -> ProbeGrid | None:
        """The probes as a grid; None without any."""
        return grid_of(self.probes, self.untrained_loss) if self.probes else None

    def peers(self) -> Mapping[str, float | None]:
        """What each rule of `PICK_RULES` finds: geometric means over the replicates, None where it finds nothing.

        Rules of other programs read the coarse ramps, which are as long and wide as theirs; `OURS` read the fine ones.
        """
        return {
            name: _mean([rule(curve) for curve in (self.ramps if name in OURS else self.sweeps or self.ramps)])
            for name, rule in PICK_RULES.items()
        }

    def figure(self, title: str = "learning-rate range test") -> Figure:
        """Loss against learning rate, raw and smoothed, with the results of all rules; beside it the probes."""
        marks = {name: lr for name, lr in self.peers().items() if lr is not None}
        if self.rule is not None:
            marks |= {f"max_lr ({epochs:g} epochs)": self.rule.max_lr(epochs) for epochs in LENGTHS}
        return draw_finding(self.ramps or self.sweeps, self.grid, marks, title)


OURS = ("robust", "lowest")


def grid_of(probes: tuple[ProbeResult, ...], untrained_loss: float | None) -> ProbeGrid:
    """Probes by their rates; the lower the loss at the end, the better."""
    scores = [(probe.max_lr, probe.loss if probe.loss is not None else float("nan")) for probe in probes]
    return ProbeGrid.of(scores, higher_is_better=False, untrained=untrained_loss)


def _mean(picks: list[float | None]) -> float | None:
    found = [pick for pick in picks if pick is not None and pick > 0.0]
    return geometric_mean(found) if found else None
