"""What a trial is for. The planner reads it; a worker reads only the trial's work (`superconv_tune.record.trial`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

# The phase of a study that a trial belongs to, as shown in MLflow, the report and tables.
Kind = Literal["range_test", "edge", "search", "confirm", "scaling", "baseline", "smoke", "long_run", "fit"]


@dataclass(frozen=True)
class Proposal:
    """Where the proposer stores a trial.

    Attributes:
        study: key of the proposer's study, one for each rung.
        number: number of the trial within that study.
    """

    study: str
    number: int


@dataclass(frozen=True)
class RangeTest:
    """Learning-rate ramps at the beginning of a study."""

    name: Literal["range_test"] = "range_test"
    kind: ClassVar[Kind] = "range_test"


@dataclass(frozen=True)
class EdgeTest:
    """Ramps, then a search for the largest stable constant learning rate; used only by the range-test command."""

    name: Literal["edge_test"] = "edge_test"
    kind: ClassVar[Kind] = "edge"


@dataclass(frozen=True)
class Smoke:
    """A few steps that check that training works, and measure its speed."""

    name: Literal["smoke"] = "smoke"
    kind: ClassVar[Kind] = "smoke"


@dataclass(frozen=True)
class Probe:
    """A complete short cycle of the default parameters at one rate of a grid.

    Attributes:
        rate: the grid's learning rate, before ``lr_multiplier``.
    """

    rate: float
    name: Literal["probe"] = "probe"
    kind: ClassVar[Kind] = "search"


@dataclass(frozen=True)
class Sampled:
    """A configuration from the proposer.

    Attributes:
        proposal: where the proposer stores it.
        pick_lr: learning rate that was picked for this length and batch size; ``lr_multiplier`` multiplies it.
    """

    proposal: Proposal
    pick_lr: float
    name: Literal["sampled"] = "sampled"
    kind: ClassVar[Kind] = "search"


@dataclass(frozen=True)
class Promoted:
    """A configuration of the rung below, trained in a longer cycle.

    Attributes:
        parent: id of the trial on the rung below.
        proposal: where the proposer stores it, so that the sampler learns from it too.
        pick_lr: as in `Sampled`.
    """

    parent: str
    proposal: Proposal
    pick_lr: float
    name: Literal["promoted"] = "promoted"
    kind: ClassVar[Kind] = "search"


@dataclass(frozen=True)
class Fitted:
    """A family that is fitted and not trained in cycles, with one set of its options."""

    name: Literal["fitted"] = "fitted"
    kind: ClassVar[Kind] = "fit"


@dataclass(frozen=True)
class RunOff:
    """A fresh seed of one of the best configurations, to choose which one becomes the recipe.

    Attributes:
        parent: id of the search trial whose configuration it repeats.
    """

    parent: str
    name: Literal["run_off"] = "run_off"
    kind: ClassVar[Kind] = "search"


@dataclass(frozen=True)
class Confirm:
    """A fresh seed of a recipe, evaluated on the test part.

    Attributes:
        recipe: number of the recipe.
    """

    recipe: int
    name: Literal["confirm"] = "confirm"
    kind: ClassVar[Kind] = "confirm"


@dataclass(frozen=True)
class Scaling:
    """A recipe at another length, or on less data.

    Attributes:
        recipe: number of the recipe.
    """

    recipe: int
    name: Literal["scaling"] = "scaling"
    kind: ClassVar[Kind] = "scaling"


@dataclass(frozen=True)
class Baseline:
    """Another learning-rate policy with the parameters of a recipe.

    Attributes:
        recipe: number of the recipe.
    """

    recipe: int
    name: Literal["baseline"] = "baseline"
    kind: ClassVar[Kind] = "baseline"


@dataclass(frozen=True)
class LongRun:
    """One long cycle of a recipe, after the search."""

    name: Literal["long_run"] = "long_run"
    kind: ClassVar[Kind] = "long_run"


OfRecipe = Confirm | Scaling | Baseline
FromProposer = Sampled | Promoted
Purpose = (
    RangeTest | EdgeTest | Smoke | Probe | Sampled | Promoted | RunOff | Fitted | Confirm | Scaling | Baseline | LongRun
)
