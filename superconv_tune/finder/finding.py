"""What a range test on its own found."""

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
        max_lr: its peak.
        seed: of its weights and its batches.
        status: how it ended.
        loss: of the validation part at its end; None where it did not get there.
        steps: optimizer steps.
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
        range_test: what the ramps say together.
        ramps: the fine ramp of each replicate, raw.
        sweeps: the coarse ramp of each replicate, raw: about what other programs run.
        probes: complete short cycles, in the order of running; none where a rule of the ramp was asked for.
        probe_epochs: length of those cycles.
        untrained_loss: loss before any training; None if unknown.
        rule: peak for any cycle length; None with a refusal.
        quality: how far the number can be trusted.
        refusal: why there is no number; None if there is one.
        notes: what else the user should know, in sentences.
        steps: optimizer steps that were spent in all.
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
        """The peak for a one-cycle of so many epochs.

        Raises:
            ValueError: if the range test gave no number; ``refusal`` says why.
        """
        if self.rule is None:
            raise ValueError(f"The range test found no learning rate: {self.refusal}")
        return self.rule.max_lr(epochs)

    def band(self, epochs: float) -> tuple[float, float]:
        """(min_lr, max_lr) for cycles of so many epochs: the peak, and a tenth of it.

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
        """What each rule of `PICK_RULES` says: geometric means over the replicates, None where it is silent.

        Peers read the coarse ramps, which are as long and as wide as theirs; ours and the mission's read the fine ones.
        """
        return {
            name: _mean([rule(curve) for curve in (self.ramps if name in OURS else self.sweeps or self.ramps)])
            for name, rule in PICK_RULES.items()
        }

    def figure(self, title: str = "learning-rate range test") -> Figure:
        """Loss against learning rate, raw and smoothed, with all picks; beside it the probes."""
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
    told = [pick for pick in picks if pick is not None and pick > 0.0]
    return geometric_mean(told) if told else None
