"""The range test: replicate ramps, then complete short cycles on a grid that widens until its best is inside."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from superconv_tune.core.curve import Curve
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.finder.finding import Finding, ProbeResult, grid_of
from superconv_tune.lr.horizon import HorizonRule, exponent_of
from superconv_tune.lr.lr_range import (
    HALF_LIFE_SHARE,
    OPENING,
    RAMP_INTERVAL_ELSE,
    RAMP_INTERVALS,
    Quality,
    Ramp,
    RangeTestResult,
    Refusal,
    analyse,
    compared,
    pool,
    split_ramps,
)
from superconv_tune.lr.pick_rules import PICK_RULES
from superconv_tune.lr.rate_grid import FALLBACK_LR, FALLBACK_LR_ELSE, MOST_WIDENINGS, ProbeGrid, next_rates
from superconv_tune.lr.schedule import Schedule
from superconv_tune.problems.problem import Problem
from superconv_tune.record.purpose import EdgeTest, Probe, Purpose, RangeTest
from superconv_tune.record.trial import Cycle, Precision, Ramps, Status, TrialOutcome, TrialRequest, Work
from superconv_tune.trial.run import run
from superconv_tune.trial.tracker import Phase, Tracker
from superconv_tune.trial.trackers import NullTracker

PROBE_STEPS = 100  # or more in a probe, and one epoch or more, so that every example counts
UNREADABLE = (Refusal.TOO_SHORT, Refusal.NOT_FINITE)  # where a probe would do no better
FAILED: frozenset[Status] = frozenset({"data_error", "code_error", "oom"})  # statuses that no learning rate can change
RULE_OF_PROBES = "probes"
RULES = (RULE_OF_PROBES, *PICK_RULES)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class FinderPlan:
    """How a range test is run.

    Attributes:
        optimizer: its name, which decides the interval and the horizon rule; unknown names get a default.
        params: weight decay, batch size and momentum range; ramps run at its lowest momentum.
        interval: learning rates that the ramp crosses; None for a coarse ramp over the optimizer's usual ones first.
        ramp: how the rates of the fine ramp rise.
        steps: steps of the fine ramp; 0 for 60 per decade.
        smoothing: half-life of the smoothing, as a share of the ramp.
        rule: ``probes``, or one of `PICK_RULES` to read the learning rate from the ramps alone.
        replicates: number of ramps, each with its own seed.
        probe_epochs: length of the probes; None for one epoch, or more if that has fewer than 100 steps.
        probe_seeds: number of probes at every rate of the grid, each with its own seed.
        edge: also bisect the largest stable constant learning rate.
        schedule: learning-rate schedule of the probes.
        precision: number format of the forward pass.
        seed: every random choice derives from it.
    """

    optimizer: str = "sgd"
    params: Hyperparameters = field(default_factory=Hyperparameters)
    interval: tuple[float, float] | None = None
    ramp: Ramp = "exponential"
    steps: int = 0
    smoothing: float = HALF_LIFE_SHARE
    rule: str = RULE_OF_PROBES
    replicates: int = 3
    probe_epochs: float | None = None
    probe_seeds: int = 2
    edge: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    precision: Precision = "fp32"
    seed: int = 0


def find(
    problem: Problem,
    plan: FinderPlan,
    tracker: Tracker,
    clock: Callable[[], float],
    progress: Progress = lambda _: None,
) -> Finding:
    """Run the range test; whatever goes wrong is a finding with a refusal.

    Args:
        problem: the data, model, loss and metric.
        plan: how it is run.
        tracker: records every ramp and every probe as a trial of its own.
        clock: returns the Unix time in seconds.
        progress: called with a sentence before every ramp and probe.
    """
    return _Finder(problem, plan, tracker, clock, progress).find()


def refused(problem: Problem, plan: FinderPlan, reason: str) -> Finding:
    """The finding where nothing was run, because of the reason given."""
    nothing = _Ramps((), (), (), analyse([]), steps=0)
    return _Finder(problem, plan, NullTracker(), time.time, lambda _: None).finding(nothing, (), refusal=reason)


@dataclass(frozen=True)
class _Ramps:
    """Results of the replicates."""

    outcomes: tuple[TrialOutcome, ...]
    sweeps: tuple[Curve, ...]
    fine: tuple[Curve, ...]
    pooled: RangeTestResult
    steps: int


@dataclass(frozen=True)
class _Finder:
    problem: Problem
    plan: FinderPlan
    tracker: Tracker
    clock: Callable[[], float]
    progress: Progress

    def find(self) -> Finding:
        ramps = self._ramps()
        if ramps.outcomes and ramps.outcomes[-1].status in FAILED:
            return self.finding(ramps, (), refusal=ramps.outcomes[-1].reason)
        if ramps.pooled.refusal in UNREADABLE:
            return self.finding(ramps, (), refusal=ramps.pooled.refusal)
        if self.plan.rule != RULE_OF_PROBES:
            return self._by_rule(ramps)
        probes = self._probes(self._centre(ramps.pooled))
        grid = grid_of(probes, _untrained(ramps))
        if not math.isfinite(max(grid.worth)):
            return self.finding(ramps, probes, refusal=f"No probe ended, down to a peak of {grid.rates[0]:.3g}.")
        return self.finding(ramps, probes, rule=self._rule(ramps.pooled, grid))

    def _ramps(self) -> _Ramps:
        outcomes, sweeps, fine, results, steps = [], [], [], [], 0
        for replicate in range(self.plan.replicates):
            is_last = replicate == self.plan.replicates - 1
            self.progress(f"ramp {replicate + 1} of {self.plan.replicates}")
            outcome, curve = self._ramp(replicate, finds_edge=self.plan.edge and is_last)
            outcomes.append(outcome)
            steps += len(curve)
            parts = split_ramps(curve)
            if self.plan.interval is None and parts:
                sweeps.append(parts.pop(0))
            if parts:
                fine.append(parts[0])
            results.append(self._read(outcome, parts))
            if outcome.status in FAILED:  # the next one would too
                break
        pooled = self._with_edge(pool(results), outcomes[-1])
        return _Ramps(tuple(outcomes), tuple(sweeps), tuple(fine), pooled, steps)

    def _with_edge(self, pooled: RangeTestResult, last: TrialOutcome) -> RangeTestResult:
        """The bisected edge instead of the median over ramps, in which a single value would be lost."""
        if not self.plan.edge or last.range_test is None or last.status != "finished" or pooled.refusal is not None:
            return pooled
        return replace(pooled, edge=last.range_test.edge)

    def _read(self, outcome: TrialOutcome, parts: list[Curve]) -> RangeTestResult:
        """The trial's own result; computed again if another smoothing was requested."""
        own = outcome.range_test
        if own is None:
            return analyse([])
        if self.plan.smoothing == HALF_LIFE_SHARE or len(parts) < 2:
            return own
        return compared(*(analyse([part], self.plan.smoothing) for part in parts[:2]))

    def _ramp(self, replicate: int, *, finds_edge: bool) -> tuple[TrialOutcome, Curve]:
        plan = self.plan
        ramps = Ramps(
            *(plan.interval or RAMP_INTERVALS.get(plan.optimizer, RAMP_INTERVAL_ELSE)),
            steps=plan.steps,
            rise=plan.ramp,
            is_centred=plan.interval is None,
            is_checked=True,
            finds_edge=finds_edge,
        )
        purpose = EdgeTest() if finds_edge else RangeTest()
        request = self._request(f"ramp-{replicate}", purpose, ramps, self._seed(0, replicate))
        keeper = _Keeper(self.tracker)
        outcome = run(request, self.problem, keeper, self.clock)
        return outcome, Curve.join(keeper.blocks)

    def _centre(self, pooled: RangeTestResult) -> float:
        if pooled.refusal is None:
            return pooled.max_lr
        return FALLBACK_LR.get(self.plan.optimizer, FALLBACK_LR_ELSE)

    def _probes(self, centre: float) -> tuple[ProbeResult, ...]:
        probes: tuple[ProbeResult, ...] = ()
        while rates := next_rates(
            centre, {probe.max_lr for probe in probes}, grid_of(probes, None) if probes else None
        ):
            probes += self._probe_at(rates)
        return probes

    def _probe_at(self, rates: Iterable[float]) -> tuple[ProbeResult, ...]:
        """Probes at every rate with the same seeds, so that rates are compared and not random draws."""
        return tuple(self._probe(lr, seed) for lr in rates for seed in range(self.plan.probe_seeds))

    def _probe(self, lr: float, number: int) -> ProbeResult:
        self.progress(f"probe of {self._probe_epochs:.3g} epochs at a peak of {lr:.3g}")
        seed = self._seed(1, number)
        request = replace(
            self._request(f"probe-{lr:.3g}-{number}", Probe(lr), Cycle(lr), seed),
            params=replace(self.plan.params, cycle_epochs=self._probe_epochs, lr_multiplier=1.0),
        )
        outcome = run(request, self.problem, self.tracker, self.clock)
        return ProbeResult(lr, seed, outcome.status, outcome.validation_loss, outcome.steps)

    def _rule(self, pooled: RangeTestResult, grid: ProbeGrid) -> HorizonRule:
        return HorizonRule(
            reference_lr=grid.pick(pooled.lr_at_minimum if pooled.refusal is None else None),
            reference_epochs=self._probe_epochs,
            exponent=exponent_of(self.plan.optimizer),
            edge=grid.edge(),
        )

    def _by_rule(self, ramps: _Ramps) -> Finding:
        """The finding of a rule that reads ramps only: the same learning rate for every length."""
        refusal = ramps.pooled.refusal or f"The rule {self.plan.rule} finds no learning rate."
        refused = self.finding(ramps, (), refusal=refusal)
        pick = refused.peers()[self.plan.rule]
        return refused if pick is None else self.finding(ramps, (), rule=HorizonRule(pick, 1.0, exponent=0.0))

    def finding(
        self,
        ramps: _Ramps,
        probes: tuple[ProbeResult, ...],
        rule: HorizonRule | None = None,
        refusal: str | None = None,
    ) -> Finding:
        return Finding(
            range_test=ramps.pooled,
            ramps=ramps.fine,
            sweeps=ramps.sweeps,
            probes=probes,
            probe_epochs=self._probe_epochs,
            untrained_loss=_untrained(ramps),
            rule=rule,
            quality=_quality(ramps.pooled, probes) if rule is not None else "none",
            refusal=refusal,
            notes=_notes(ramps, probes),
            steps=ramps.steps + sum(probe.steps for probe in probes),
        )

    @property
    def _probe_epochs(self) -> float:
        if self.plan.probe_epochs is not None:
            return self.plan.probe_epochs
        per_epoch = self.problem.train.steps_per_epoch(self.plan.params.batch_size) / self.problem.micro_batches
        return max(1.0, PROBE_STEPS / max(1.0, per_epoch))

    def _seed(self, *key: int) -> int:
        return int(np.random.SeedSequence([self.plan.seed, *key]).generate_state(1)[0])

    def _request(self, name: str, purpose: Purpose, work: Work, seed: int) -> TrialRequest:
        return TrialRequest(
            trial_id=name,
            attempt=1,
            purpose=purpose,
            work=work,
            params=self.plan.params,
            schedule=self.plan.schedule,
            seed=seed,
            deadline=math.inf,
            precision=self.plan.precision,
        )


class _Keeper:
    """Wraps a tracker and keeps every step of the ramps: an outcome holds a thinned curve only."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self.blocks: list[Curve] = []

    def start(self, request: TrialRequest) -> None:
        self._tracker.start(request)

    def record(self, phase: Phase, block: Curve) -> None:
        self.blocks.append(block)
        self._tracker.record(phase, block)

    def run_id(self) -> str | None:
        return self._tracker.run_id()

    def finish(self, outcome: TrialOutcome) -> None:
        self._tracker.finish(outcome)


def _untrained(ramps: _Ramps) -> float | None:
    """Loss before training: the first losses of the ramps, whose learning rates are still too small to matter."""
    openings = [curve.loss[:OPENING] for curve in ramps.sweeps or ramps.fine]
    finite = [float(np.median(opening)) for opening in openings if np.isfinite(opening).all() and len(opening)]
    return float(np.median(finite)) if finite else None


def _is_at_border(probes: tuple[ProbeResult, ...]) -> bool:
    """Whether the best probe is at the border of the grid; not without probes."""
    return bool(probes) and grid_of(probes, None).beyond() is not None


def _quality(pooled: RangeTestResult, probes: tuple[ProbeResult, ...]) -> Quality:
    """With its best probe inside the grid a finding is at least fair; with it at the border it is a guess."""
    if _is_at_border(probes):
        return "poor"
    return pooled.quality if pooled.quality == "good" or not probes else "fair"


def _notes(ramps: _Ramps, probes: tuple[ProbeResult, ...]) -> tuple[str, ...]:
    """Sentences on what the numbers do not show."""
    notes = [outcome.reason for outcome in ramps.outcomes if outcome.status == "finished" and outcome.reason]
    if ramps.pooled.refusal is not None and probes:
        notes.append(f"{ramps.pooled.refusal} The probes began at a peak of {probes[0].max_lr:g} instead.")
    if _is_at_border(probes):
        notes.append(f"The best probe is at the border of the grid, even after {MOST_WIDENINGS} widenings.")
    return tuple(notes)
