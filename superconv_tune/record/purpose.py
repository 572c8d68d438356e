"""What a trial is for. The planner reads it; a worker only reads the trial's work (`superconv_tune.record.trial`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

# The phase of a study that a trial belongs to, as MLflow, report and tables show it.
Kind = Literal["range_test", "edge", "search", "confirm", "scaling", "baseline", "smoke", "long_run"]


@dataclass(frozen=True)
class Proposal:
    """Where the proposer keeps a trial: key of its study of the rung, and number within that."""

    study: str
    number: int


@dataclass(frozen=True)
class RangeTest:
    """Learning-rate ramps before anything is known."""

    name: Literal["range_test"] = "range_test"
    kind: ClassVar[Kind] = "range_test"


@dataclass(frozen=True)
class EdgeTest:
    """Ramps, then the largest stable constant learning rate; only the range test on its own asks for it."""

    name: Literal["edge_test"] = "edge_test"
    kind: ClassVar[Kind] = "edge"


@dataclass(frozen=True)
class Smoke:
    """A few steps that show whether everything works, and how fast."""

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
        proposal: where the proposer keeps it.
        pick_lr: learning rate that ``lr_multiplier`` multiplies, for this length and batch size.
    """

    proposal: Proposal
    pick_lr: float
    name: Literal["sampled"] = "sampled"
    kind: ClassVar[Kind] = "search"


@dataclass(frozen=True)
class Promoted:
    """A configuration of the rung below in a longer cycle.

    Attributes:
        parent: id of the trial on the rung below.
        proposal: where the proposer keeps it, so that it learns from it too.
        pick_lr: as of `Sampled`.
    """

    parent: str
    proposal: Proposal
    pick_lr: float
    name: Literal["promoted"] = "promoted"
    kind: ClassVar[Kind] = "search"


@dataclass(frozen=True)
class RunOff:
    """A fresh seed of one of the best configurations, before one of them is frozen.

    Attributes:
        parent: id of the search trial whose configuration it repeats.
    """

    parent: str
    name: Literal["run_off"] = "run_off"
    kind: ClassVar[Kind] = "search"


@dataclass(frozen=True)
class Confirm:
    """A fresh seed of a recipe, which reads the test part."""

    recipe: int
    name: Literal["confirm"] = "confirm"
    kind: ClassVar[Kind] = "confirm"


@dataclass(frozen=True)
class Scaling:
    """A recipe at another length, or on less data."""

    recipe: int
    name: Literal["scaling"] = "scaling"
    kind: ClassVar[Kind] = "scaling"


@dataclass(frozen=True)
class Baseline:
    """Another learning-rate policy with the parameters of a recipe."""

    recipe: int
    name: Literal["baseline"] = "baseline"
    kind: ClassVar[Kind] = "baseline"


@dataclass(frozen=True)
class LongRun:
    """One long cycle with a recipe, after the search."""

    name: Literal["long_run"] = "long_run"
    kind: ClassVar[Kind] = "long_run"


OfRecipe = Confirm | Scaling | Baseline
FromProposer = Sampled | Promoted
Purpose = RangeTest | EdgeTest | Smoke | Probe | Sampled | Promoted | RunOff | Confirm | Scaling | Baseline | LongRun
