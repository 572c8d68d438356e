"""A spec put to the test: the data are read and split, a real trial runs, the time of a step is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from superconv_tune.planner.brief import Brief, bounds
from superconv_tune.problems.payload import DataCard, Payload
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.rehearse import ModelCard
from superconv_tune.problems.try_out import try_out
from superconv_tune.record.events import Measured
from superconv_tune.spec.spec import ExperimentSpec, defaults, search_space
from superconv_tune.study.speed import measure
from superconv_tune.training.compiler import skip_compiler
from superconv_tune.training.memory import device_for
from superconv_tune.verdict.verdict import Target

REPORT_S = 4.0  # the last records, verdict, report, MLflow's parent run and Ray's end: two seconds on two idle cores
REPORT_SHARE = 0.01  # of a long budget: larger studies have larger reports


@dataclass(frozen=True)
class Question:
    """A question that was tried out, with everything that a search needs.

    Attributes:
        spec: as the user wrote it, with a model chosen if it named none.
        brief: what the planner needs of the spec.
        payload: data and model, ready to be sent to workers.
        card: facts about the data.
        model: facts about the model.
        measured: how fast it trains here.
    """

    spec: ExperimentSpec
    brief: Brief
    payload: Payload
    card: DataCard
    model: ModelCard
    measured: Measured

    def on_gpus(self, per_trial: float) -> Question:
        """The same question with a number for ``gpus_per_trial``."""
        resources = self.spec.resources.model_copy(update={"gpus_per_trial": per_trial})
        spec = self.spec.model_copy(update={"resources": resources})
        return replace(self, spec=spec, payload=replace(self.payload, spec=_without_addresses(spec)))


def ready(spec: ExperimentSpec) -> Question:
    """Read the data, and run a few real training steps.

    Raises:
        UserError: if the data, the model, the loss or a user's file does not work; nothing was started then.
    """
    payload, card = prepare(spec)
    spec = payload.spec
    payload = replace(payload, spec=_without_addresses(spec))
    skip_compiler()
    torch.set_num_threads(threads(spec))  # as a worker will run
    device = device_for(with_gpu=spec.resources.gpus_per_trial != 0)
    payload, problem, model = try_out(payload, device, defaults(spec))
    card = replace(card, warnings=(*card.warnings, *model.warnings))
    sizes = bounds(search_space(spec).get("batch_size"), defaults(spec).batch_size)
    measured = measure(problem, card, defaults(spec), map(int, sizes))
    return Question(spec, brief_of(spec), payload, card, model, measured)


def brief_of(spec: ExperimentSpec) -> Brief:
    """What the planner needs of the spec."""
    return Brief(
        target=Target(spec.metric_name, spec.direction, spec.target, spec.reliability),
        space=search_space(spec),
        defaults=defaults(spec),
        optimizer=spec.optimizer.name,
        schedule=spec.schedule,
        strategy=spec.strategy,
        seed=spec.seed,
        trials=spec.trials,
        item_level=spec.item_level,
        report_s=max(REPORT_S, REPORT_SHARE * spec.budget_s),
        baselines=tuple(dict.fromkeys(other for other in spec.baselines if other != spec.schedule)),
        horizon=spec.horizon,
    )


def _without_addresses(spec: ExperimentSpec) -> ExperimentSpec:
    """The spec for workers, which do not need the database; what they need of MLflow is sent beside it."""
    return spec.model_copy(update={"storage": None, "tracking_uri": None})


def threads(spec: ExperimentSpec) -> int:
    """Number of torch threads in one trial: many trials of one core get more done than one trial on all cores."""
    return max(1, round(spec.resources.cpus_per_trial))
