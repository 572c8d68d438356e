"""The parts of a user's task as a data set, and the form in which the user's own code gets the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch.utils.data import Dataset

from superconv_tune.data.nested import IGNORED
from superconv_tune.data.parts import Kind, Part, RawData, classified
from superconv_tune.problems.targets import AS_GIVEN, Form, Labelled
from superconv_tune.problems.user import Array, Task, arrays, differs, groups_of

LIVE = (
    "The items of train differ when they are read twice, as with random transforms: they are read anew in every epoch. "
    "What is needed of them before, and parts that are split off them, was read once."
)
READ_ONCE = (
    "The items of {} differ when they are read twice, as with random transforms. They were read once, so that all "
    "trials are judged by the same ones; give a Dataset without random transforms to judge by the originals."
)


@dataclass(frozen=True)
class OwnData:
    """A user's data.

    Attributes:
        raw: the data set; labels are numbered from 0.
        form: what batches hold as targets.
        is_live: whether training reads the items of the task's Dataset when they are needed.
        has_loss: whether the task brings its own loss.
        tests_items: whether the test part consists of items of a Dataset, of which a transform may make other inputs.
    """

    raw: RawData
    form: Form
    is_live: bool
    has_loss: bool
    tests_items: bool


def own_data(task: Task) -> OwnData:
    """The data of a task whose parts fit into memory.

    Raises:
        UserError: if a part cannot be read.
    """
    given = {"train": task.train, "validation": task.validation, "test": task.test}
    parts = {name: Part(*arrays(part, name)) for name, part in given.items() if part is not None}
    random = [name for name, part in given.items() if part is not None and differs(part)]
    groups = groups_of(task, {name: len(part) for name, part in parts.items()})
    parts = {name: replace(part, groups=groups.get(name)) for name, part in parts.items()}
    raw, form = _numbered(parts)
    warnings = [LIVE if name == "train" else READ_ONCE.format(name) for name in random]
    raw = replace(raw, warnings=(*raw.warnings, *warnings))
    tests_items = isinstance(task.train if task.test is None else task.test, Dataset)
    return OwnData(raw, form, "train" in random, task.loss is not None, tests_items)


def kind_of(targets: Array) -> Kind:
    """What the targets of a training part are."""
    if targets.dtype.kind == "f":
        return "regression"
    is_one = targets.shape[1:] in ((), (1,)) and not (targets == IGNORED).any()
    return "classification" if is_one else "structured"


def _numbered(parts: dict[str, Part]) -> tuple[RawData, Form]:
    train, validation, test = (parts.get(name) for name in ("train", "validation", "test"))
    assert train is not None
    kind = kind_of(train.targets)
    if kind != "classification":
        return RawData(train, test, kind, None, validation=validation), AS_GIVEN
    flat = {name: _flat(part) for name, part in parts.items()}
    raw = classified(flat["train"], flat.get("test"), flat.get("validation"))
    return raw, Labelled.of(train.targets)


def _flat(part: Part) -> Part:
    """The part with one label per item; other shapes are left for the checks to report."""
    targets = part.targets
    return replace(part, targets=targets.reshape(len(targets)) if targets.shape[1:] == (1,) else targets)
