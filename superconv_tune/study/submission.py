"""Submit a search to a cluster, follow it, and bring its files home."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from superconv_tune.cluster.bundle import pack
from superconv_tune.cluster.jobs import Jobs
from superconv_tune.core.interruption import Interrupted
from superconv_tune.data.scratch import scratch
from superconv_tune.spec.name import timed_name
from superconv_tune.spec.spec import ExperimentSpec
from superconv_tune.study.machine import require_writable

LEFT = "No longer following; the search continues. --logs NAME shows it, --stop NAME ends it."


@dataclass(frozen=True)
class Submission:
    """A search to be started on a cluster.

    Attributes:
        spec: the question.
        name: name of the study; None for one made from spec and time.
        folder: folder of the spec's file.
        helpers: modules that the user's own file imports.
        data_travel: whether the data are on this machine and are sent along.
        options: further options of the search by name: True for a flag, None or False for those not given.
    """

    spec: ExperimentSpec
    name: str | None
    folder: Path
    helpers: Sequence[Path]
    data_travel: bool
    options: Mapping[str, str | bool | None]


def start(jobs: Jobs, wanted: Submission, output: Path | None) -> int:
    """Submit a search, and with an ``output`` folder follow it to its end; returns the exit code.

    Raises:
        UserError: if a file must not be sent, the cluster refuses the search, or its files could not be written here.
    """
    name = wanted.name or timed_name(wanted.spec.name, time.time())
    if output is not None:
        require_writable(output / name)
    with scratch() as private:
        folder = private / "bundle"
        folder.mkdir()
        pack(wanted.spec, wanted.helpers, folder, data_travel=wanted.data_travel, inside=wanted.folder)
        jobs.submit(name, folder, {key: value for key, value in wanted.options.items() if value})
    typer.echo(f"{name} is submitted: --logs {name} shows it, --stop {name} ends it, --fetch {name} brings its files.")
    return 0 if output is None else follow(jobs, name, output)


def look(jobs: Jobs, views: Mapping[str, object], following: bool, output: Path) -> int:  # noqa: FBT001 - an option
    """List, show, stop or fetch, whichever of the ``views`` has a value (a study's name); returns the exit code.

    Raises:
        UserError: if the cluster does not know the study, or its files cannot be fetched.
    """
    view, name = next((view, str(value)) for view, value in views.items() if value)
    if view == "logs" and following:
        return follow(jobs, name, output)
    texts = {"list": lambda: listed(jobs), "logs": lambda: jobs.logs(jobs.latest(name).id),
             "stop": lambda: stopped(jobs, name), "fetch": lambda: fetched(jobs, name, output)}  # fmt: skip
    typer.echo(texts[view]())
    return 0


def follow(jobs: Jobs, name: str, output: Path) -> int:
    """Print what the search prints, bring its files into ``output/name``, and return its exit code.

    Raises:
        UserError: if the head stays unreachable, or the files cannot be fetched.
        Interrupted: if the user ends the following.
    """
    try:
        job = jobs.follow(name, partial(typer.echo, nl=False))
    except KeyboardInterrupt:
        raise Interrupted(LEFT) from None
    if job.exit_code and job.message:
        typer.echo(f"{job.status}: {job.message.splitlines()[0]}")
    typer.echo(fetched(jobs, name, output))
    return job.exit_code or 0


def fetched(jobs: Jobs, name: str, output: Path) -> str:
    """Fetch the files of a study into ``output/name``; returns a sentence about it.

    Raises:
        UserError: if the files cannot be fetched, or written.
    """
    require_writable(output / name)
    files = jobs.fetch(name, output / name)
    if not files:
        return f"The study {name} has no files on the cluster (yet)."
    return f"Fetched into {output / name}/: {', '.join(file.name for file in files)}."


def listed(jobs: Jobs) -> str:
    """All searches of a cluster, one per line."""
    rows = [
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(job.started_at))}  {job.status:<9}  {job.study}"
        for job in jobs.all()
    ]
    return "\n".join(rows) or "No search was submitted to this cluster yet."


def stopped(jobs: Jobs, name: str) -> str:
    """Ask a search to end; returns a sentence about it.

    Raises:
        UserError: if the cluster does not know it.
    """
    if not jobs.stop(name):
        return f"The search {name} is no longer running."
    return f"The search {name} was asked to end and is writing its report; fetch it in a minute: --fetch {name}."
