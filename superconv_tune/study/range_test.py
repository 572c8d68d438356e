"""The learning-rate range test alone, from a spec to its files and its MLflow run."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from superconv_tune.core.codec import encode
from superconv_tune.core.errors import UserError, did_you_mean, raise_any
from superconv_tune.core.files import write_atomically
from superconv_tune.finder.find import RULES, FinderPlan, Progress, find
from superconv_tune.finder.finding import LENGTHS as LENGTHS
from superconv_tune.finder.finding import Finding
from superconv_tune.finder.words import finding_text
from superconv_tune.lr.lr_range import MIN_POINTS, Ramp
from superconv_tune.problems.payload import DataCard, Payload
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.try_out import try_out
from superconv_tune.reporting.outputs import write_ramps
from superconv_tune.spec.name import refuse_name, timed_name
from superconv_tune.spec.spec import ExperimentSpec, defaults, named_families
from superconv_tune.study.logs import search_log
from superconv_tune.study.machine import require_writable
from superconv_tune.study.parent_run import check
from superconv_tune.study.places import Places, places
from superconv_tune.study.question import threads
from superconv_tune.study.subject import subject_of
from superconv_tune.tracking.handle import ParentRun, TrackingError
from superconv_tune.training.memory import device_for
from superconv_tune.trial.tracker import Tracker
from superconv_tune.trial.trackers import NullTracker

logger = logging.getLogger(__name__)

NUMBERS = "range_test.json"
CURVES = ("sweeps", "ramps")  # fields of a finding that are written to range_test.parquet


@dataclass(frozen=True)
class Options:
    """The options of the command line that are not part of a spec; see `FinderPlan`."""

    rule: str
    ramp: Ramp
    low: float | None
    high: float | None
    steps: int
    smoothing: float
    replicates: int
    probe_epochs: float | None
    edge: bool


def range_test(
    spec: ExperimentSpec, options: Options, name: str | None, lengths: tuple[float, ...], echo: Progress
) -> bool:
    """Run the test, write its files and print what it found; returns whether it found a learning rate.

    Args:
        spec: data, model, optimizer and the defaults of the space.
        options: options of the command line.
        name: name of the output folder; made from spec and time if None.
        lengths: cycle lengths to show, in epochs.
        echo: prints a line.

    Raises:
        UserError: if the data, the model or a setting does not work; nothing was started then.
    """
    name = name or timed_name(f"{spec.name}-range-test", time.time())
    refuse_name(name)
    plan = _plan(spec, options)
    where = places(Path(spec.output), name, spec.storage, spec.tracking_uri)
    if where.folder.exists():
        raise UserError(f"--name: {where.folder} exists. Choose another name.")
    require_writable(where.folder)
    payload, card = prepare(spec)
    torch.set_num_threads(threads(spec))  # as a worker will run
    payload = payload.first
    if payload.is_fitted:
        raise UserError(f"model: {', '.join(named_families(spec))} has no learning rate. Name a network.")
    _, problem, _ = try_out(payload, device_for(with_gpu=True), plan.params)
    check(where.tracking_uri, where.storage, where.artifact_root)

    def found_by(tracker: Tracker) -> Finding:
        found = find(problem, plan, tracker, time.time, echo)
        echo(f"\n{finding_text(found, lengths)}")  # before the files, for the disk may be full
        _write(found, where)
        return found

    with _removed_if_empty(where), search_log(where.folder):
        found = (
            _recorded(_parent(payload, plan, where, card), found_by, where, echo)
            if where.is_tracked
            else found_by(NullTracker())
        )
    echo(f"\nfiles: {where.folder}/")
    return found.rule is not None


@contextmanager
def _removed_if_empty(where: Places) -> Iterator[None]:
    """If the test does not end, remove its folder, so that the same command begins again; not what MLflow lacks."""
    try:
        yield
    except (UserError, OSError, KeyboardInterrupt):
        kept = (where.folder / NUMBERS, *where.spill_dir.rglob("*"))
        if not any(path.is_file() for path in kept):
            shutil.rmtree(where.folder, ignore_errors=True)
        raise


def _plan(spec: ExperimentSpec, options: Options) -> FinderPlan:
    faults = []
    if options.rule not in RULES:
        faults.append(f"--rule: is unknown: {options.rule!r}. {did_you_mean(options.rule, RULES)}")
    if (options.low is None) != (options.high is None):
        faults.append("--low and --high go together: give both, or neither to have the range found.")
    elif options.low is not None and options.high is not None:
        if options.low >= options.high:
            faults.append(f"--low {options.low:g} is not below --high {options.high:g}. Swap them.")
        if options.low == 0.0 and options.ramp == "exponential":
            faults.append("--low 0: an exponential ramp starts above 0. Raise it, or take --ramp linear.")
    if 0 < options.steps < MIN_POINTS:
        faults.append(f"--steps {options.steps}: a ramp of fewer than {MIN_POINTS} steps cannot be read. Raise it.")
    raise_any(faults)
    return FinderPlan(
        optimizer=spec.optimizer.name,
        params=defaults(spec),
        interval=None if options.low is None or options.high is None else (options.low, options.high),
        ramp=options.ramp,
        steps=options.steps,
        smoothing=options.smoothing,
        rule=options.rule,
        replicates=options.replicates,
        probe_epochs=options.probe_epochs,
        edge=options.edge,
        schedule=spec.schedule,
        seed=spec.seed,
    )


def _parent(payload: Payload, plan: FinderPlan, where: Places, card: DataCard) -> ParentRun:
    """The parent run of the test in MLflow."""
    params = {key: value for key, value in encode(plan).items() if value is not None and key != "params"}
    return ParentRun(
        experiment=payload.spec.name,
        name=where.name,
        role="range_test",
        params=params | encode(plan.params) | {"schedule": plan.schedule.label},
        tags={"phase": "range_test"},
        subject=subject_of(payload, card, "superconv_tune.range_test"),
        text="A learning-rate range test, which is underway.",
    )


def _recorded(parent: ParentRun, found_by: Callable[[Tracker], Finding], where: Places, echo: Progress) -> Finding:
    """Find, recorded in MLflow: a parent run, ended in any case, with a child for every ramp and every probe."""
    from superconv_tune.tracking.study_run import close_study, open_study  # noqa: PLC0415 - MLflow need not be installed
    from superconv_tune.tracking.worker import MlflowTracker, recover  # noqa: PLC0415

    handle = open_study(where.tracking_uri, where.artifact_root, parent)
    found = None
    try:
        found = found_by(MlflowTracker(handle, where.spill_dir))
    finally:
        left = recover(handle, where.spill_dir)
        try:
            close_study(
                handle,
                status="KILLED" if found is None else "FINISHED",
                tags={"phase": "done"} | ({} if found is None else {"quality": found.quality}),
                metrics={} if found is None else _numbers(found),
                artifacts=sorted(where.folder.glob("range_test.*")),
                text="" if found is None else f"```\n{finding_text(found, LENGTHS)}\n```",
            )
        except TrackingError as error:
            logger.warning("The parent run was not ended: %s", error)
            left += 1
        if left:
            echo(f"warning: MLflow has not received all of this test; its files are in {where.folder}/.")
    return found


def _write(found: Finding, where: Places) -> None:
    """Write the figure, the numbers and every step of the ramps to the folder."""
    content = {"name": where.name, "max_lr": _peaks(found), "peers": dict(found.peers())}
    content |= {key: value for key, value in encode(found).items() if key not in CURVES}
    write_atomically(where.folder / NUMBERS, json.dumps(content, indent=1).encode())
    write_ramps(where.folder / "range_test.parquet", {kind: getattr(found, kind) for kind in CURVES})
    found.figure(where.name).savefig(where.folder / "range_test.png")


def _peaks(found: Finding) -> dict[str, float]:
    return {} if found.rule is None else {f"{epochs:g}": found.max_lr(epochs) for epochs in LENGTHS}


def _numbers(found: Finding) -> dict[str, float]:
    ramps = found.range_test
    numbers = {f"max_lr/epochs_{epochs}": lr for epochs, lr in _peaks(found).items()}
    return numbers | {"lr_at_minimum": ramps.lr_at_minimum, "edge": ramps.edge, "spread_log2": ramps.spread_log2}
