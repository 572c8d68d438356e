"""A spec put to the test: the data are read and split, a real trial runs, the time of a step is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from superconv_tune.core.bits import pack_numbers
from superconv_tune.planner.brief import Brief, bounds
from superconv_tune.problems.payload import DataCard, Payload, realise
from superconv_tune.problems.prepare import prepare
from superconv_tune.problems.rehearse import ModelCard
from superconv_tune.problems.try_out import try_out
from superconv_tune.record.events import Family, Measured
from superconv_tune.spec.spec import ExperimentSpec, ModelSpec, defaults, named_families, search_space
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
        families: the families that compete; empty for a single network. ``model`` and ``measured`` are those of the
            first network.
    """

    spec: ExperimentSpec
    brief: Brief
    payload: Payload
    card: DataCard
    model: ModelCard
    measured: Measured
    families: tuple[Family, ...] = ()

    def on_gpus(self, per_trial: float) -> Question:
        """The same question with a number for ``gpus_per_trial``."""
        resources = self.spec.resources.model_copy(update={"gpus_per_trial": per_trial})
        spec = self.spec.model_copy(update={"resources": resources})
        return replace(self, spec=spec, payload=_with_spec(self.payload, spec))

    @property
    def test_groups(self) -> str:
        """Packed numbers of the group of each test item; empty if every item stands for itself."""
        arrays = self.payload.arrays
        return "" if arrays is None or arrays.test.groups is None else pack_numbers(arrays.test.groups)

    @property
    def competing(self) -> tuple[Family, ...]:
        """The families, the first network with the seconds of a step as measured last."""
        first = next((each for each in self.families if not each.is_fitted), None)
        return tuple(replace(each, measured=self.measured) if each is first else each for each in self.families)

    @property
    def has_networks(self) -> bool:
        """Whether any family is trained in cycles."""
        return not self.families or any(not family.is_fitted for family in self.families)


def ready(spec: ExperimentSpec) -> Question:
    """Read the data, and run a few real training steps.

    Raises:
        UserError: if the data, the model, the loss or a user's file does not work; nothing was started then.
    """
    payload, card = prepare(spec)
    spec = payload.spec
    payload = _with_spec(payload, spec)
    skip_compiler()
    torch.set_num_threads(threads(spec))  # as a worker will run
    device = device_for(with_gpu=spec.resources.gpus_per_trial != 0)
    tried = {name: _tried(each, card, device) for name, each in (payload.families or {"": payload}).items()}
    warnings = [words for each in tried.values() for words in each.model.warnings]
    card = replace(card, warnings=tuple(dict.fromkeys((*card.warnings, *warnings))))
    if not payload.families:
        [only] = tried.values()
        return Question(spec, brief_of(spec), only.payload, card, only.model, only.measured)
    payload = replace(payload, families={name: each.payload for name, each in tried.items()})
    families = tuple(each.family(name) for name, each in tried.items())
    first = next(each for each in tried.values() if each.payload is payload.first)
    return Question(spec, brief_of(spec), payload, card, first.model, first.measured, families)


def _with_spec(payload: Payload, spec: ExperimentSpec) -> Payload:
    """The payload with the same spec, but for the model, in each of its families; without addresses."""
    shown = _without_addresses(spec)
    families = {
        name: replace(each, spec=shown.model_copy(update={"model": each.spec.model, "families": ()}))
        for name, each in payload.families.items()
    }
    return replace(payload, spec=shown, families=families)


@dataclass(frozen=True)
class _Tried:
    """A question with one model that was tried out."""

    payload: Payload
    model: ModelCard
    measured: Measured

    def family(self, name: str) -> Family:
        """The same as a family that competes."""
        return Family(name, self.measured, self.payload.is_fitted, self.model.parameters + self.model.frozen)


def _tried(payload: Payload, card: DataCard, device: torch.device) -> _Tried:
    spec = payload.spec
    if payload.is_fitted:
        from superconv_tune.problems.fitted import check_fit  # noqa: PLC0415 - scikit-learn, where it is needed

        check_fit(payload)
        measured = Measured(
            train_items=card.train_items,
            validation_items=card.validation_items,
            test_items=card.test_items,
            trivial_value=realise(payload, device).trivial_value,
        )
        return _Tried(payload, ModelCard(parameters=0, frozen=0, outputs=()), measured)
    payload, problem, model = try_out(payload, device, defaults(spec))
    sizes = bounds(search_space(spec).get("batch_size"), defaults(spec).batch_size)
    return _Tried(payload, model, measure(problem, card, defaults(spec), map(int, sizes)))


def brief_of(spec: ExperimentSpec) -> Brief:
    """What the planner needs of the spec."""
    models: dict[str, ModelSpec | None] = {**named_families(spec)} or {"": spec.model}
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
        fine_tuned=frozenset(name for name, model in models.items() if model is not None and model.is_fine_tuned),
    )


def _without_addresses(spec: ExperimentSpec) -> ExperimentSpec:
    """The spec for workers, which do not need the database; what they need of MLflow is sent beside it."""
    return spec.model_copy(update={"storage": None, "tracking_uri": None})


def threads(spec: ExperimentSpec) -> int:
    """Number of torch threads in one trial: many trials of one core get more done than one trial on all cores."""
    return max(1, round(spec.resources.cpus_per_trial))
