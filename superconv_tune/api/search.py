"""`superconv_tune.search`: the search for a program or a notebook; what runs is what the command runs."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from superconv_tune.api.given import ACCEPTED, is_held, kind_of, write
from superconv_tune.api.study import Study
from superconv_tune.cluster.access import refuse_open
from superconv_tune.core.errors import UserError
from superconv_tune.journal.journal import Journal
from superconv_tune.spec.files import expanded
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.name import refuse_name, timed_name
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.begin import begin
from superconv_tune.study.call import called
from superconv_tune.study.places import places
from superconv_tune.study.refusal import refuse_two_places

YAML = (".yaml", ".yml")
OUTPUT = ExperimentSpec.model_fields["output"].default
MOST_AT_ONCE = 100  # searches of one name that begin in one second
SHORT = {"workers": "resources.workers"}  # keys that have a name of their own, as on the command line


def search(  # noqa: PLR0913 - the options of the command
    data: Any = None,
    *,
    label: str | int | None = None,
    target: float | str | None = None,
    budget: float | str | None = None,
    metric: str | Mapping[str, Any] | None = None,
    model: object = None,
    name: str | None = None,
    output: str | Path | None = None,
    tracking_uri: str | None = None,
    address: str | None = None,
    debug: bool = False,
    quiet: bool = False,
    fresh_ledger: str | None = None,
    **keys: object,
) -> Study:
    """Can a target be reached on these data within the budget, how sure are we, and with which recipe?

    What is left out has the default of the command. A notebook shows a panel that is updated in place. Ctrl-C, or
    "interrupt the kernel", ends the trials and returns what was found until then.

    Args:
        data: a path (folder, table, archive: the format is found); a pair (X, y) of arrays; a DataFrame, with
            ``label``; a torch Dataset; or a spec: its YAML file, a mapping or an `ExperimentSpec`. None for the
            built-in digits. What is in memory is written into the folder of the study, from where workers, ``verify``
            and the long run read it.
        label: label column of a table: its name, its number from 0, or ``last``.
        target: value of the metric to be reached; None, or ``none``, asks how far one can get.
        budget: time from this call to the report: seconds, or ``10m``, ``1h30m``.
        metric: metric of the target, such as ``accuracy`` or ``rmse``.
        model: built-in model, or what the key ``model`` of a spec takes.
        name: name of the study and its folder; None for one made of the data and the time.
        output: folder of all studies; None for ``runs``.
        tracking_uri: address of MLflow, or ``none``; None for a file in ``output``.
        address: Ray cluster, ``auto`` or ``host:port``; None for a local one that is started for this search.
        debug: whether trials run one after the other in this process, without Ray.
        quiet: whether nothing is printed.
        fresh_ledger: why earlier searches' looks at the test part are not to count; None if they are.
        keys: further keys of a spec, such as ``seed=1``, ``trials=20``, ``workers=2`` or ``space={"batch_size": 64}``.

    Returns:
        The study.

    Raises:
        UserError: if data, model or a setting does not work, and nothing was started then; or if another driver took
            the study over.
    """
    started_at = time.time()
    refuse_open(address)
    refuse_two_places(address, debug=debug)
    given = {
        "label": label, "target": target, "budget": budget, "metric": metric, "model": model,
        "output": str(output) if output is not None else None, "tracking_uri": tracking_uri,
    } | {SHORT.get(key, key): value for key, value in keys.items()}  # fmt: skip
    asked = {key: value for key, value in given.items() if value is not None}
    with (
        _question(data, asked, name, started_at) as (spec, chosen),
        _undisturbed(),
        called(started_at, address, debug=debug) as call,
    ):
        console = Console(quiet=True) if quiet else call.console
        ended = begin(spec, chosen, replace(call, console=console, fresh_ledger=fresh_ledger))
    if ended.findings is None or ended.folder is None:
        raise UserError(f"Another driver has taken over the study {chosen!r}, and goes on with it.")
    return Study(ended.folder, ended.findings, ended.interrupted)


@contextmanager
def _question(
    data: Any, asked: dict[str, Any], name: str | None, started_at: float
) -> Iterator[tuple[ExperimentSpec, str | None]]:
    """The spec and the name of the study; data in memory are in its folder, unless nothing was started."""
    if not is_held(data):
        yield _spec(*_named(data, asked)), name
        return
    kind, label = kind_of(data), asked.pop("label", None)
    folder = _new_folder(Path(str(asked.get("output", OUTPUT))), name, timed_name(kind, started_at))
    spec = None
    try:
        spec = _spec({"name": kind, "data": write(data, label, folder)}, asked)
        yield spec, folder.name
    except BaseException:  # whatever it is, a folder that nobody asked for is not left behind
        if spec is None or not _has_begun(spec, folder.name):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _new_folder(root: Path, name: str | None, otherwise: str) -> Path:
    """Make the folder of a study that does not exist yet.

    Raises:
        UserError: if it exists, or cannot be made.
    """
    refuse_name(name or otherwise)
    root = expanded(root)
    tried = [name] if name else [otherwise, *(f"{otherwise}-{number}" for number in range(2, MOST_AT_ONCE))]
    for each in tried:
        try:
            (root / each).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"output: the folder {root / each} cannot be made ({error.strerror or error}).") from error
        return root / each
    raise UserError(f"name: the folder {root / tried[-1]} exists. Choose another name; Study.open({name!r}) reads it.")


def _has_begun(spec: ExperimentSpec, name: str) -> bool:
    where = places(Path(spec.output), name, spec.storage, spec.tracking_uri)
    if not where.has_journal:
        return False
    with Journal(where.storage) as journal:
        return journal.exists(name)


def _named(data: Any, asked: dict[str, object]) -> tuple[Path | Mapping[str, object] | None, dict[str, object]]:
    """A spec and what is given beside it, from a path, a spec or None."""
    label = {"data.args.label": asked.pop("label")} if "label" in asked else {}
    if isinstance(data, ExperimentSpec):
        whole = data.model_dump(mode="json", exclude_unset=True)
        hidden = {key: value for key in ("storage", "tracking_uri") if (value := getattr(data, key)) is not None}
        return whole | hidden, label | asked  # a dump has no passwords
    if data is None or isinstance(data, Mapping):
        return data, label | asked
    if not isinstance(data, str | os.PathLike):
        raise UserError(f"data: got a {type(data).__name__}. Give {ACCEPTED}.")
    if str(data).endswith(YAML):
        return Path(data), label | asked
    return None, {"data.path": str(data)} | label | asked


def _spec(asked: Path | Mapping[str, object] | None, keys: Mapping[str, object]) -> ExperimentSpec:
    return load_spec(asked, keys, called=lambda key: "data" if key == "data.path" else key.rpartition(".")[2])


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Give the program back its number of threads, and keep what Ray misses in notebooks out of the cell."""
    logging.getLogger("ray.widgets").setLevel(logging.WARNING)  # ipywidgets, for displays of its own
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
