"""The question and the search as one checked, frozen value, which has the shape of the YAML file."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from superconv_tune.core.codec import decode, encode
from superconv_tune.core.errors import did_you_mean
from superconv_tune.core.hyperparameters import Hyperparameters
from superconv_tune.core.space import Choice, Interval, SearchSpace
from superconv_tune.core.space import Dimension as CoreDimension
from superconv_tune.core.words import percent
from superconv_tune.core.yardstick import Direction
from superconv_tune.data.formats import FORMATS
from superconv_tune.lr.policies import Constant, Linear, Step
from superconv_tune.lr.schedule import Schedule, as_mapping, schedule_from
from superconv_tune.lr.span import Span
from superconv_tune.measures.losses import LOSSES
from superconv_tune.measures.metrics import METRICS
from superconv_tune.models.registry import BACKBONE, FITTED, MODELS
from superconv_tune.proposer.samplers import SAMPLERS
from superconv_tune.spec.fields import (
    NONE,
    AddressField,
    Count,
    CountOrZero,
    Number,
    OrNone,
    Positive,
    Seconds,
    Section,
    Seed,
    Share,
    is_none,
    one_of,
    to_number,
)
from superconv_tune.spec.space import Dimension, Range, Space, values

Format = Annotated[str, one_of(FORMATS)]
Augmentation = Literal["flip", "shift", "cutout", "colour"]
Model = Annotated[str, one_of((*MODELS, *FITTED))]
LossName = Annotated[str, one_of(("auto", *LOSSES))]
Sampler = Annotated[str, one_of(SAMPLERS)]

LEAST_RELIABILITY, MOST_RELIABILITY = 0.5, 0.94
MIN_BUDGET_S = 10.0  # the start of the workers alone takes about this long

OF_FACTORIES = {"pretrained", "head", "freeze", "layer_decay", "lr_scale", "size", "normalise"}

COMPLETE_CYCLES = (
    "trials are compared at the end of complete cycles, and none is stopped for lagging behind. Complete short cycles "
    "do the work of early stopping here; leave the key out"
)


class DataSpec(Section):
    """Data in one of the known formats.

    Attributes:
        format: name of the reader; without it, or with ``auto``, it is found from the path when the spec is loaded.
        path: file or folder, for the formats that read one.
        args: options of the reader.
        augment: augmentations of training images, applied batch by batch on the device; None for what suits the data.
    """

    shorthand: ClassVar[str | None] = "format"

    format: Format
    path: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    augment: tuple[Augmentation, ...] | None = None

    @model_validator(mode="after")
    def _check_path(self) -> DataSpec:
        reads_path = FORMATS[self.format].recognise is not None
        if reads_path and self.path is None:
            raise ValueError(f"format {self.format} reads files, but no path is given. Add `path: …`")
        if not reads_path and self.path is not None:
            raise ValueError(f"format {self.format} reads no file, but got path {self.path!r}. Leave it out")
        if "group" in self.args:
            raise ValueError(f"groups are a matter of the split. Write `split: {{group: {self.args['group']}}}`")
        return self


class TaskSpec(Section):
    """The user's own code that supplies the question; see `superconv_tune.problems.user`.

    Attributes:
        factory: ``file.py:function`` or ``module:function``.
        args: keyword arguments of the function.
    """

    shorthand: ClassVar[str | None] = "factory"

    factory: str = Field(pattern=r"^.+:[A-Za-z_]\w*$")
    args: dict[str, Any] = Field(default_factory=dict)


def _names(value: object) -> object:
    """Names of modules from one or several."""
    return (value,) if isinstance(value, str) else value


class PixelScale(Section):
    """What the pixels of images are normalised by: named, or in numbers.

    Attributes:
        of: ``data`` for mean and std of the training part, ``model`` for those that the network was trained with and
            notes (as timm's networks do), ``imagenet`` for those of its pixels.
        mean: of each channel, of pixels from 0 to 1.
        std: of each channel, likewise.
    """

    shorthand: ClassVar[str | None] = "of"

    of: Annotated[Literal["data", "model", "imagenet"], one_of(("data", "model", "imagenet"))] | None = None
    mean: tuple[Number, ...] = ()
    std: tuple[Positive, ...] = ()

    @model_validator(mode="after")
    def _check_one(self) -> PixelScale:
        if (self.of is None) != bool(self.mean or self.std):
            raise ValueError("takes either data, model or imagenet, or mean and std. Write {mean: […], std: […]}")
        if len(self.mean) != len(self.std):
            raise ValueError(f"has {len(self.mean)} means, but {len(self.std)} stds. Give one of each per channel")
        return self


class ModelSpec(Section):
    """A family of models: one of the built-in ones, or the user's.

    Attributes:
        name: name of a built-in model; None with a factory. ``trees`` and ``linear`` are fitted, all others trained.
        factory: ``module:function`` or ``file.py:function`` that returns an ``nn.Module``.
        width: factor on the number of units of a built-in model; None for the size in the literature.
        args: further options of the model, or keyword arguments of the factory.
        select: which of several outputs of a factory's model is the one: a key, attribute or index, such as ``logits``.
        pretrained: whether the factory's network comes with weights; without it, that follows from the keys below and
            from the arguments ``pretrained`` and ``weights`` of the factory.
        head: what a network of a factory ends in: ``own`` for its own last layer; ``linear`` or ``mlp`` for a fresh
            one, with as many outputs as the data need, in the place of the last linear layer or after the network.
        freeze: modules or parameters that are not trained, by name, each with all below it; ``backbone`` for all but
            the head: its features are computed once for each item, of images that are not augmented.
        layer_decay: factor on the learning rate of each block of the network against the block above it; the head has
            the rate of the schedule.
        lr_scale: factors on the learning rate by names of modules or parameters; all others have that of the schedule.
        size: side in pixels to which images are resized for the network.
        normalise: mean and std that are taken off the pixels: of the ``data``, of the ``model`` (as timm's networks
            note them), of ``imagenet``, or ``{mean: […], std: […]}`` of pixels from 0 to 1.
    """

    shorthand: ClassVar[str | None] = "name"

    name: Model | None = None
    factory: str | None = Field(default=None, pattern=r"^.+:[A-Za-z_]\w*$")
    width: Positive | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    select: str | int | None = None
    pretrained: bool | None = None
    head: Annotated[Literal["own", "linear", "mlp"], one_of(("own", "linear", "mlp"))] = "own"
    freeze: Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | list[str])] = ()
    layer_decay: Annotated[Number, Field(gt=0, le=1)] | None = None
    lr_scale: dict[str, Positive] = Field(default_factory=dict)
    size: Annotated[Count, Field(le=4096)] | None = None
    normalise: PixelScale = PixelScale(of="data")

    @model_validator(mode="after")
    def _check_one(self) -> ModelSpec:
        if (self.name is None) == (self.factory is None):
            given = "both" if self.name else "neither"
            raise ValueError(f"takes either a name or a factory, but got {given}. Keep one")
        if self.factory and self.width is not None:
            raise ValueError(f"width is for built-in models; pass {self.width} to the factory under args")
        if self.name and self.select is not None:
            raise ValueError(f"select is for models of a factory; {self.name} gives one output. Leave it out")
        if self.is_fitted and self.width is not None:
            raise ValueError(f"width is for networks, and {self.name} is none. Leave it out")
        return self

    @model_validator(mode="after")
    def _check_weights(self) -> ModelSpec:
        given = sorted(OF_FACTORIES & self.model_dump(exclude_defaults=True).keys())
        if self.name and given:
            raise ValueError(
                f"{', '.join(given)}: for networks of a factory, but {self.name} is built in and trained from scratch. "
                f"Leave them out"
            )
        if self.layer_decay is not None and self.lr_scale:
            raise ValueError("layer_decay and lr_scale both scale the learning rate. Keep one")
        if self.has_features and (self.layer_decay is not None or self.lr_scale):
            raise ValueError("with `freeze: backbone` only the head is trained. Leave out layer_decay and lr_scale")
        return self

    @property
    def has_features(self) -> bool:
        """Whether only the head is trained, on features that are computed once."""
        return self.freeze == (BACKBONE,)

    @property
    def is_pretrained(self) -> bool:
        """Whether the network comes with weights, as far as the spec says."""
        if self.pretrained is not None:
            return self.pretrained
        loads = any(self.args.get(name) for name in ("pretrained", "weights"))
        return loads or bool(self.freeze or self.layer_decay or self.lr_scale) or self.normalise.of != "data"

    @property
    def is_fine_tuned(self) -> bool:
        """Whether weights that the network comes with are trained further."""
        return self.is_pretrained and not self.has_features

    @property
    def is_fitted(self) -> bool:
        """Whether it is fitted by scikit-learn, and not trained in cycles."""
        return self.name in FITTED

    @property
    def label(self) -> str:
        """A short name for it: that of the built-in model, or of the factory's function."""
        return self.name or str(self.factory).rpartition(":")[2]


class MetricSpec(Section):
    """The metric of the target.

    Attributes:
        name: name of a built-in metric, or of the task's own.
        direction: ``max`` if higher is better, else ``min``; known for built-in metrics.
        item_level: whether the metric is the share of items that are right; known for built-in metrics.
    """

    shorthand: ClassVar[str | None] = "name"

    name: str
    direction: Direction
    item_level: bool = False

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, value: Any) -> Any:
        given = {"name": value} if isinstance(value, str) else value
        if not isinstance(given, dict):
            return given
        facts = METRICS.get(str(given.get("name")))
        known = {"direction": facts.direction, "item_level": facts.item_level} if facts else {}
        if any(given.get(key, fact) != fact for key, fact in known.items()):
            raise ValueError(f"{given['name']} is built in with {known}, but got {given}. Write its name alone")
        if facts is None and "name" in given and "direction" not in given:
            raise ValueError(
                f"is unknown: {given['name']!r}. {did_you_mean(given['name'], METRICS)} "
                f"A metric of your own task needs its direction: {{name: {given['name']}, direction: max}}"
            )
        return known | given


class OptimizerSpec(Section):
    """The optimizer.

    Attributes:
        name: ``sgd``, ``adamw``, or ``factory``.
        nesterov: whether ``sgd`` uses Nesterov momentum.
        factory: ``file.py:function`` or ``module:function`` that makes an optimizer from parameter groups.
        args: keyword arguments of the factory.
    """

    shorthand: ClassVar[str | None] = "name"

    name: Literal["sgd", "adamw", "factory"] = "sgd"
    nesterov: bool = True
    factory: str | None = Field(default=None, pattern=r"^.+:[A-Za-z_]\w*$")
    args: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _name_factory(cls, value: Any) -> Any:
        return {"name": "factory"} | value if isinstance(value, dict) and value.get("factory") else value

    @model_validator(mode="after")
    def _check_factory(self) -> OptimizerSpec:
        if (self.name == "factory") != (self.factory is not None):
            raise ValueError(f"name {self.name!r} and factory {self.factory!r} do not go together. Keep one")
        if self.args and self.factory is None:
            raise ValueError(f"args go to a factory, but {self.name} has none. Leave them out: {sorted(self.args)}")
        return self


def _schedule(value: object) -> Schedule:
    return value if isinstance(value, Schedule) else schedule_from(value)


# Accepts a name, a mapping or a text that `schedule_from` reads; is dumped as a flat mapping.
ScheduleField = Annotated[
    Schedule, PlainValidator(_schedule), PlainSerializer(as_mapping, return_type=dict[str, object])
]


def _listed(value: object) -> object:
    """A list of policies from a list, from text with commas between them, or from ``none``."""
    if isinstance(value, str):
        value = _separated(value)
    if not isinstance(value, list | tuple):
        raise ValueError(f"takes policies in a list, or none, but got {value!r}. Write [step, linear], or none")
    return () if len(value) == 1 and is_none(value[0]) else value


def _separated(text: str) -> list[str]:
    """The policies of ``step,gamma=0.2,linear``: an option belongs to the policy before it."""
    policies: list[str] = []
    for part in text.split(","):
        if "=" in part and policies:
            policies[-1] += f",{part}"
        else:
            policies.append(part.strip())
    return policies


def _without_repetition(schedules: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
    return tuple(dict.fromkeys(schedules))


def _group(value: object) -> object:
    """A column's name or number, or a pattern, as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if is_none(value):
        return None
    if value is not None and not (isinstance(value, str) and value):
        raise ValueError(f"is a column of a table, or a regular expression for the paths of images, but got {value!r}")
    return value


class SplitSpec(Section):
    """Which shares of the data are held out; parts that the data come with are kept as they are.

    Attributes:
        validation: share on which the search compares trials.
        test: share that is read only for the verdict.
        seed: seed of the split, independent of the seed of the search.
        group: what belongs together, such as the images of a patient, and stays on one side: of tables a column, of
            folders of images a regular expression whose first bracket finds the group in an image's path.
    """

    validation: Annotated[Share, Field(gt=0)] = 0.15
    test: Share = 0.15
    seed: Seed = 0
    group: Annotated[str | None, BeforeValidator(_group)] = None

    @model_validator(mode="after")
    def _check_rest(self) -> SplitSpec:
        if self.validation + self.test > 0.9:
            rest = 1 - self.validation - self.test
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave {percent(max(rest, 0.0))} to train on. "
                f"Keep their sum below 0.9"
            )
        return self


def _workers(value: object) -> object:
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    if number == "auto" or (isinstance(number, int) and not isinstance(number, bool) and number >= 1):
        return number
    raise ValueError(f"must be auto or a whole number from 1, but got {value!r}")


def _gpus(value: object) -> object:
    if value == "auto":
        return value
    number = to_number(value)
    if number < 0:
        raise ValueError(f"must be auto or a number from 0 to 1, but got {number:g}")
    if number > 1:
        raise ValueError(
            f"a trial uses at most one GPU, but got {number:g}: several trials with a GPU each search faster than one "
            f"trial on several GPUs. Write 1, or a fraction to share one"
        )
    return number


class ResourcesSpec(Section):
    """What one trial needs of the cluster.

    Attributes:
        workers: number of trials at once; ``auto`` for as many as fit.
        cpus_per_trial: cores of one trial, which is also its number of torch threads.
        gpus_per_trial: 0, a fraction (several trials share a GPU), or 1; ``auto`` means 0 without a GPU, else the share
            that was measured to have the highest throughput.
    """

    workers: Annotated[int | Literal["auto"], BeforeValidator(_workers)] = "auto"
    cpus_per_trial: Positive = 1
    gpus_per_trial: Annotated[float | Literal["auto"], BeforeValidator(_gpus)] = "auto"


def _long_enough(seconds: float) -> float:
    if seconds < MIN_BUDGET_S:
        raise ValueError(
            f"{seconds:g} s is too short: starting the workers alone takes that long. Give at least {MIN_BUDGET_S:g} s"
        )
    return seconds


def _plain_none(value: object) -> object:
    return NONE if is_none(value) else value


def _demonstrable(reliability: float) -> float:
    if not LEAST_RELIABILITY <= reliability <= MOST_RELIABILITY:
        raise ValueError(
            f"must be a probability from {LEAST_RELIABILITY:g} to {MOST_RELIABILITY:g}, but got {reliability:g}: with "
            f"a lower one most trainings may miss the target, and a higher one takes more than 64 fresh models to show"
        )
    return reliability


def _fifo(value: object) -> object:
    if value != "fifo":
        raise ValueError(f"{value!r} is refused: {COMPLETE_CYCLES}")
    return value


class ExperimentSpec(Section):
    """One question and how it is searched.

    Attributes:
        name: name of the study and of its folder.
        data: the data, unless a task supplies them.
        task: the user's own code that supplies the question.
        model: the family of models; None if the task supplies it, if there are several, or for models chosen by the
            shape of the data. In a file it is one model or a list of them; in an option their names, with commas.
        families: the families that compete, if ``model`` is a list of several.
        metric: the metric of the target.
        loss: the training loss; ``auto`` follows from the metric.
        target: value of the metric to be reached; None asks how far one can get.
        reliability: probability with which a fresh training is to reach it.
        budget: wall-clock seconds from the command to the report.
        optimizer: the optimizer.
        schedule: how learning rate and momentum change over a cycle: a policy with its options and its warm-up. The
            part of its shape that is searched (pct_start, div_factor, …) is in ``space``.
        baselines: other schedules to compare it with at equal length, the most important first; ``none`` for none.
        space: what is searched.
        split: which shares of the data are held out.
        strategy: ``ladder`` of cycle lengths, or ``free``: the sampler chooses the length.
        sampler: name of the sampler.
        trials: largest number of search trials; None for as many as the time allows.
        seed: seed of the search.
        resources: what a trial needs of the cluster.
        scheduler: ``fifo``; all others are refused, with the reason.
        horizon: longest cycle that the verdict is about, in epochs; None for 8 times the length of the
            recipe's cycles, which is also the most.
        keep_models: largest number of confirmed models that are kept, those that validate best; 0 keeps none.
        tracking_uri: address of MLflow; None for a local file, ``none`` to record no curves.
        storage: database URL of journal and Optuna study; None for a local file.
        output: folder of all studies.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)
    data: DataSpec | None = None
    task: Annotated[TaskSpec | None, Field(validate_default=True)] = None
    model: ModelSpec | None = None
    families: tuple[ModelSpec, ...] = ()
    metric: MetricSpec = MetricSpec(name="accuracy", direction="max", item_level=True)
    loss: LossName = "auto"
    target: Annotated[Number | None, OrNone] = None
    reliability: Annotated[Number, AfterValidator(_demonstrable)] = 0.5
    budget: Annotated[Seconds, AfterValidator(_long_enough)] = 3600.0
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleField = Schedule()
    baselines: Annotated[tuple[ScheduleField, ...], BeforeValidator(_listed), AfterValidator(_without_repetition)] = (
        Schedule(policy=Step()),
        Schedule(policy=Linear()),
        Schedule(policy=Constant()),
    )
    space: Space = Space()
    split: SplitSpec = SplitSpec()
    strategy: Literal["ladder", "free"] = "ladder"
    sampler: Sampler = "auto"
    trials: Annotated[Count | None, OrNone] = None
    seed: Seed = 0
    resources: ResourcesSpec = ResourcesSpec()
    scheduler: Annotated[Literal["fifo"], BeforeValidator(_fifo)] = "fifo"
    horizon: Annotated[Positive | None, OrNone] = None
    keep_models: CountOrZero = 3
    tracking_uri: Annotated[AddressField | None, BeforeValidator(_plain_none)] = None
    storage: AddressField | None = None
    output: str = "runs"

    # A check that involves two fields belongs to the later one; the earlier is missing from info.data if it was wrong
    # itself. That way all errors of a file are found at once, which a check of the whole could not do.

    @model_validator(mode="before")
    @classmethod
    def _listed_models(cls, value: Any) -> Any:
        """A list under ``model`` becomes ``families``, unless it has only one."""
        given = value.get("model") if isinstance(value, dict) else None
        if isinstance(given, str) and "," in given:
            given = [name.strip() for name in given.split(",")]
        if not isinstance(given, list | tuple):
            return value
        if len(given) < 2:
            return value | {"model": given[0] if given else {}}
        return {key: item for key, item in value.items() if key != "model"} | {"families": given}

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The keys of a file, in which several families are a list under ``model``."""
        content: dict[str, Any] = handler(self)
        families = content.pop("families", None)
        return content | {"model": families} if families else content

    @field_validator("families")
    @classmethod
    def _without_twins(cls, families: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
        twice = next((each.label for place, each in enumerate(families) if each in families[:place]), None)
        if twice is not None:
            raise ValueError(f"{twice} is named twice. Keep one of them")
        return families

    @field_validator("task")
    @classmethod
    def _one_question(cls, task: TaskSpec | None, info: ValidationInfo) -> TaskSpec | None:
        if "data" in info.data and (task is None) == (info.data["data"] is None):
            fault = "neither data nor task is given" if task is None else "both data and task are given"
            raise ValueError(f"{fault}. Write `data: {{format: …}}`, or `task: {{factory: …}}` for your own code")
        return task

    @field_validator("metric")
    @classmethod
    def _own_metric_needs_task(cls, metric: MetricSpec, info: ValidationInfo) -> MetricSpec:
        if metric.name not in METRICS and info.data.get("data"):
            raise ValueError(f"is unknown: {metric.name!r}. {did_you_mean(metric.name, METRICS)}")
        return metric

    @field_validator("loss")
    @classmethod
    def _loss_fits_metric(cls, loss: str, info: ValidationInfo) -> str:
        metric = info.data.get("metric")
        if metric is None or metric.name not in METRICS or loss == "auto":
            return loss
        if METRICS[metric.name].regression != LOSSES[loss].regression:
            raise ValueError(f"{loss} does not go with the metric {metric.name}. Leave it out, or write auto")
        return loss

    @field_validator("target")
    @classmethod
    def _target_within_metric(cls, target: float | None, info: ValidationInfo) -> float | None:
        metric = info.data.get("metric")
        if target is None or metric is None or metric.name not in METRICS:
            return target
        facts = METRICS[metric.name]
        low = -math.inf if facts.low is None else facts.low
        high = math.inf if facts.high is None else facts.high
        if not low <= target <= high:
            hint = f" Did you mean {target / 100:g}?" if facts.high == 1 and 1 < target <= 100 else ""
            raise ValueError(f"{metric.name} lies between {low:g} and {high:g}, but got {target:g}.{hint}")
        return target

    @field_validator("space")
    @classmethod
    def _schedules_fit_space(cls, space: Space, info: ValidationInfo) -> Space:
        longest_rise = Span(steps=1, max_lr=1.0, pct_start=max(values(space.pct_start)))
        schedules = [info.data.get("schedule"), *info.data.get("baselines", ())]
        for schedule in filter(None, schedules):
            try:
                schedule.knobs(longest_rise)
            except ValueError as error:
                raise ValueError(f"{error} The schedule is {schedule.label}") from None
        return space

    @field_validator("split")
    @classmethod
    def _groups_fit_data(cls, split: SplitSpec, info: ValidationInfo) -> SplitSpec:
        if split.group is None or not {"data", "task"} <= set(info.data):
            return split
        data = info.data["data"]
        if data is None:
            raise ValueError("group is for data of a format; a task brings its own groups: Task(…, groups=array)")
        kind = FORMATS[data.format].group
        if kind is None:
            known = ", ".join(name for name, each in FORMATS.items() if each.group)
            raise ValueError(
                f"group is not known to the format {data.format}, but to {known}; for others return them in a task: "
                f"Task(…, groups=array)"
            )
        if kind == "a pattern":
            _refuse_no_pattern(split.group)
        return split

    @property
    def budget_s(self) -> float:
        """Wall clock from the command to the report, in seconds."""
        return self.budget

    @property
    def metric_name(self) -> str:
        """Name of the metric."""
        return self.metric.name

    @property
    def direction(self) -> Direction:
        """``max`` if a higher metric is better."""
        return self.metric.direction

    @property
    def item_level(self) -> bool:
        """Whether the metric is the share of items that are right."""
        return self.metric.item_level


def named_families(spec: ExperimentSpec) -> dict[str, ModelSpec]:
    """The families that compete, by the name that trials and reports use; empty for a single network."""
    if not spec.families:
        return {spec.model.label: spec.model} if spec.model is not None and spec.model.is_fitted else {}
    found: dict[str, ModelSpec] = {}
    for each in spec.families:
        twins = sum(other.label == each.label for other in found.values())
        found[each.label if not twins else f"{each.label} {twins + 1}"] = each
    return found


def of_family(spec: ExperimentSpec, name: str) -> ExperimentSpec:
    """The same question with one of its families as the only model."""
    return spec.model_copy(update={"model": named_families(spec)[name], "families": ()})


def _refuse_no_pattern(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"group {text!r} is no regular expression: {error}. Try '([^/_]+)_[0-9]+'") from None


def search_space(spec: ExperimentSpec) -> SearchSpace:
    """The dimensions that are searched; hyperparameters that the spec fixes are not among them."""
    return {name: found for name in Space.model_fields if (found := _core(getattr(spec.space, name))) is not None}


def defaults(spec: ExperimentSpec) -> Hyperparameters:
    """Default hyperparameters inside the space, which are tried first.

    A dimension takes the customary value if it contains it, else its middle; a fixed one takes its fixed value.
    """
    customary = encode(Hyperparameters())
    inside = {name: _inside(getattr(spec.space, name), value) for name, value in customary.items()}
    params: Hyperparameters = decode(Hyperparameters, inside)
    return params


def _core(dimension: Dimension) -> CoreDimension | None:
    if isinstance(dimension, Range):
        return Interval(dimension.low, dimension.high, dimension.log)
    return Choice(dimension) if isinstance(dimension, tuple) else None


def _inside(dimension: Dimension, customary: float) -> float:
    if isinstance(dimension, Range):
        if dimension.low <= customary <= dimension.high:
            return customary
        low, high = dimension.low, dimension.high
        return math.sqrt(low * high) if dimension.log else (low + high) / 2
    if isinstance(dimension, tuple):
        return customary if customary in dimension else dimension[len(dimension) // 2]
    return dimension
