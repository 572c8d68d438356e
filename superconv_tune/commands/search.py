"""``superconv-tune search``: can this target be reached within the budget, how sure are we, which recipe?"""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from superconv_tune.commands.options import (
    AcceptChanges,
    Data,
    Group,
    Label,
    NewOutput,
    Require,
    Seed,
    Spec,
    Target,
    TrackingUri,
)
from superconv_tune.core.background import end_if_left
from superconv_tune.core.imports import ease_exit, fast_imports
from superconv_tune.study.exit_code import exit_code
from superconv_tune.study.refusal import (
    exit_on_user_error,
    refuse_accepting_nothing,
    refuse_fresh_ledger,
    refuse_new_question,
    refuse_two_places,
)

STARTED_AT = time.time()  # the budget counts from the command, the slow imports below included

EXAMPLES = """
Examples:

\b
  superconv-tune search                                 the built-in digits, about a minute
  superconv-tune search search_spaces/fashion_mnist.yaml --budget 20m --target 0.92
  superconv-tune search --data table.csv --label last   a table; the label is its last column
  superconv-tune search --schedule cosine               another learning-rate policy; one with an option: step,gamma=0.2
  superconv-tune search --new-task my_problem.py        your own data and model: writes files to start from
  superconv-tune search my_problem.yaml --dry-run       the plan; trains nothing
  superconv-tune search --resume NAME                   after a crash or Ctrl-C, until the original deadline
  superconv-tune search --resume NAME --budget +20m     the same, with more time
  superconv-tune search my_problem.yaml --debug         in one process: breakpoints work
  superconv-tune search --on-end 'mail -s done me'      the verdict, as JSON, goes to a command or an http(s) address

\b
Exit codes: 0 a verdict; 2 the input is wrong and nothing was started; 3 --require was not met; 130 interrupted, with a
report of what was found so far, or taken over by another driver; 1 a failure of the program itself.
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def search(  # noqa: PLR0913 - a command line
    spec: Spec = None,
    data: Data = None,
    label: Label = None,
    group: Group = None,
    model: Annotated[
        str | None, typer.Option(help="Built-in model, instead of the spec's; several, with commas, compete.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Metric of the target, such as accuracy or rmse.")] = None,
    target: Target = None,
    reliability: Annotated[
        str | None, typer.Option(help="Probability with which a fresh training is to reach it. Default: 0.5.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Time from the command to the report: 90s, 10m, 1h30m; +10m with --resume.")
    ] = None,
    horizon: Annotated[
        str | None,
        typer.Option(
            help="Longest cycle that the verdict is about, in epochs. Default, and at most: 8 times the recipe's."
        ),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(help="Learning-rate policy, with options if you like: cosine,warmup=linear,warmup_share=0.1."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="Policy to compare with, or none; may be repeated. Default: step,linear,constant."),
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="ladder, or free: the sampler chooses the length.")] = None,
    sampler: Annotated[str | None, typer.Option(help="auto, tpe, gp, qmc or random.")] = None,
    trials: Annotated[
        str | None, typer.Option(help="Largest number of search trials. Default: as many as the time allows.")
    ] = None,
    seed: Seed = None,
    keep_models: Annotated[
        str | None, typer.Option(help="Largest number of confirmed models to keep; 0 keeps none. Default: 3.")
    ] = None,
    workers: Annotated[str | None, typer.Option(help="Number of trials at once. Default: as many as fit.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster: auto or host:port. Default: a local one for this search.")
    ] = None,
    tracking_uri: TrackingUri = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Database URL of journal and Optuna study. Default: a file in the output folder."),
    ] = None,
    output: NewOutput = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the study and its folder. Default: made from spec and time.")
    ] = None,
    resume: Annotated[str | None, typer.Option(metavar="NAME", help="Continue this study.")] = None,
    accept_changes: AcceptChanges = False,  # noqa: FBT002
    fresh_ledger: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Do not count the looks of earlier searches at the test part; say why."),
    ] = None,
    require: Require = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and train nothing.")] = False,  # noqa: FBT002
    debug: Annotated[bool, typer.Option("--debug", help="One process, without Ray: breakpoints work.")] = False,  # noqa: FBT002
    on_end: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="When all is written, run this shell command with verdict.json on its standard input, or post it to "
            "this http(s) address; 30 s at most, whatever becomes of it.",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser at the end.")] = False,  # noqa: FBT002
    new_task: Annotated[
        Path | None, typer.Option(metavar="FILE.py", help="Write a Python file and a spec to start from, and exit.")
    ] = None,
) -> None:
    """Can this target be reached within the budget, how sure are we, and with which recipe?"""
    given = {
        "data.path": data, "data.args.label": label, "split.group": group, "model": model, "metric": metric,
        "target": target, "reliability": reliability, "horizon": horizon, "schedule": schedule,
        "baselines": ",".join(baseline) if baseline else None, "strategy": strategy, "sampler": sampler,
        "trials": trials, "seed": seed, "keep_models": keep_models, "resources.workers": workers,
        "tracking_uri": tracking_uri, "storage": storage, "output": output,
    }  # fmt: skip
    overrides = {key: value for key, value in given.items() if value is not None}
    with exit_on_user_error():
        # --help must answer at once.
        from superconv_tune.cluster.access import refuse_open  # noqa: PLC0415
        from superconv_tune.spec.files import expanded  # noqa: PLC0415
        from superconv_tune.spec.load import load_spec  # noqa: PLC0415
        from superconv_tune.spec.template import write_task  # noqa: PLC0415
        from superconv_tune.study.call import called  # noqa: PLC0415

        refuse_open(address)
        refuse_two_places(address, debug=debug)
        refuse_accepting_nothing(resume, accepted=accept_changes)
        refuse_fresh_ledger(fresh_ledger, resume)
        if new_task is not None:
            code, written = write_task(expanded(new_task))
            typer.echo(f"Wrote {code} and {written}. They work as they are. Change them to your question, then run:")
            typer.echo(f"  python -m superconv_tune.search {shlex.quote(str(written))}")
            return
        if resume is None:
            checked = load_spec(spec, overrides | ({"budget": budget} if budget else {}))
        else:
            refuse_new_question(spec, overrides, name, dry_run=dry_run)
        if dry_run:
            from superconv_tune.study.plan import planned  # noqa: PLC0415 - as below

            typer.echo(planned(checked))
            return
        with called(STARTED_AT, address, debug=debug) as call:
            # A typing error must be answered at once, and torch, Ray and MLflow take seconds to import.
            with fast_imports():
                from superconv_tune.study.begin import begin  # noqa: PLC0415
                from superconv_tune.study.resume import resume as resume_study  # noqa: PLC0415
            if resume is not None:
                root = str(expanded(output or "runs"))
                ended = resume_study(resume, root, storage, budget, call, accept_changes=accept_changes)
            else:
                ended = begin(checked, name, replace(call, fresh_ledger=fresh_ledger))
    _afterwards(ended.folder, on_end, show=show)
    status = exit_code(ended.verdict, ended.interrupted, require)
    end_if_left(status)
    ease_exit()
    raise typer.Exit(status)


def _afterwards(folder: Path | None, on_end: str | None, *, show: bool) -> None:
    """Tell and show what was found; nothing if another driver took the study over."""
    from superconv_tune.study import afterwards  # noqa: PLC0415 - imports the parts of a web client

    if folder is None:
        return
    if on_end and (warning := afterwards.tell(on_end, (folder / "verdict.json").read_text(encoding="utf-8"))):
        typer.echo(warning, err=True)
    if show:
        afterwards.show(folder / "report.html", typer.echo)
