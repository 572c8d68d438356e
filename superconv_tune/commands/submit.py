"""``superconv-tune submit``: a search as a job on a Ray cluster, from any machine that reaches its head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from superconv_tune.commands.options import AcceptChanges, Group, Label, Require, Target
from superconv_tune.core.errors import raise_any
from superconv_tune.study.refusal import exit_on_user_error, refuse_accepting_nothing

EXAMPLES = """
Examples:

\b
  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=token.txt        the token of the cluster
  superconv-tune submit spec.yaml --address http://head:8265 --follow
  superconv-tune submit spec.yaml --address http://head:8265 --name mine --data-on-nodes /data/photos
  superconv-tune submit --address http://head:8265 --list
  superconv-tune submit --address http://head:8265 --fetch mine      copy verdict and report to runs/mine/
  superconv-tune submit spec.yaml --name mine --resume --budget +20m --address http://head:8265

\b
Exit codes: 0 done; 2 the input is wrong and nothing was submitted; with --follow those of the search: 0 a verdict,
2 its input is wrong there, 3 --require was not met, 130 stopped, 1 a failure of the program itself. Ctrl-C stops
following (130); the search continues.
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def submit(  # noqa: PLR0913 - a command line
    spec: Annotated[
        Path | None, typer.Argument(help="YAML file; it is sent with the Python files that it names.")
    ] = None,
    address: Annotated[str, typer.Option(help="Job server on the head of the cluster.")] = "http://127.0.0.1:8265",
    name: Annotated[str | None, typer.Option(help="Name of the study. Default: made from spec and time.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print its log to the end, then fetch its files.")] = False,  # noqa: FBT002
    helpers: Annotated[
        list[Path] | None, typer.Option("--with", help="Further Python file to send; may be repeated.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Path of the data on this machine; at most 64 MiB are sent.")] = None,
    data_on_nodes: Annotated[str | None, typer.Option(help="Path of the data on the nodes of the cluster.")] = None,
    label: Label = None,
    group: Group = None,
    target: Target = None,
    budget: Annotated[
        str | None, typer.Option(help="Time from the job's start to the report: 10m, 1h30m; +10m with --resume.")
    ] = None,
    workers: Annotated[
        str | None, typer.Option(help="Number of trials at once. Default: an equal part of the cluster.")
    ] = None,
    require: Require = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the study --name; SPEC is its spec.")] = False,  # noqa: FBT002
    accept_changes: AcceptChanges = False,  # noqa: FBT002
    output: Annotated[Path, typer.Option(help="Folder, on this machine, for fetched files.")] = Path("runs"),
    show: Annotated[bool, typer.Option("--list", help="List all searches of the cluster, newest first.")] = False,  # noqa: FBT002
    logs: Annotated[str | None, typer.Option(metavar="NAME", help="Print the output of this search so far.")] = None,
    stop: Annotated[str | None, typer.Option(metavar="NAME", help="End this search; it still writes a report.")] = None,
    fetch: Annotated[str | None, typer.Option(metavar="NAME", help="Fetch the files of this search.")] = None,
) -> None:
    """Run a search as a job on a Ray cluster, and fetch its verdict and report."""
    given = {
        "data.path": data_on_nodes or data, "data.args.label": label, "split.group": group,
        "target": target, "resources.workers": workers,
        "budget": None if resume else budget,
    }  # fmt: skip
    options = {
        "--require": require, "--budget": budget if resume else None, "--resume": name if resume else None,
        "--accept-changes": accept_changes,
    }  # fmt: skip
    views = {"list": show, "logs": logs, "stop": stop, "fetch": fetch}
    with exit_on_user_error():
        # --help must answer at once.
        from superconv_tune.cluster.access import refuse_open  # noqa: PLC0415
        from superconv_tune.spec.files import expanded  # noqa: PLC0415
        from superconv_tune.spec.load import load_spec  # noqa: PLC0415

        refuse_open(address)
        refuse_accepting_nothing(name if resume else None, accepted=accept_changes)
        refuse_contradiction([spec, *views.values()], [data, data_on_nodes], resume, name)
        overrides = {key: value for key, value in given.items() if value is not None}
        output = expanded(output)
        checked = load_spec(spec, overrides, data_elsewhere=data_on_nodes is not None) if spec else None
        # A typing error must be answered at once, and Ray takes seconds to import.
        from superconv_tune.cluster.jobs import Jobs  # noqa: PLC0415
        from superconv_tune.study import submission  # noqa: PLC0415

        jobs = Jobs(address)
        if checked is None or spec is None:
            raise typer.Exit(submission.look(jobs, views, follow, output))
        code = tuple(map(expanded, helpers or ()))
        wanted = submission.Submission(checked, name, expanded(spec).parent, code, data_on_nodes is None, options)
        raise typer.Exit(submission.start(jobs, wanted, output if follow else None))


def refuse_contradiction(things: list[object], data: list[str | None], resume: bool, name: str | None) -> None:  # noqa: FBT001
    """Refuse options that contradict one another.

    Raises:
        UserError: if not exactly one thing is asked for, or the data are named twice, or a name is missing.
    """
    messages = []
    if sum(map(bool, things)) != 1:
        messages.append("Give one of a SPEC to submit, --list, --logs NAME, --stop NAME and --fetch NAME. See --help.")
    if all(data):
        messages.append("--data and --data-on-nodes name the data in two places. Leave one of them out.")
    if resume and not name:
        messages.append("--resume: which study? Write --name NAME, and the SPEC whose files it runs on.")
    raise_any(messages)
