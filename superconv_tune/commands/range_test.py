"""``superconv-tune range-test``: the learning-rate range test alone, in seconds to a minute."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from superconv_tune.commands.options import Data, Group, Label, NewOutput, Seed, Spec, TrackingUri, finite
from superconv_tune.study.refusal import exit_on_user_error

EXAMPLES = """
Examples:

\b
  superconv-tune range-test                                   the built-in digits
  superconv-tune range-test search_spaces/fashion_mnist.yaml --epochs 5 --epochs 20
  superconv-tune range-test --data my.npz --optimizer adamw --batch-size 64
  superconv-tune range-test SPEC --ramp linear --low 0 --high 3 --steps 2000 --rule lowest  as Smith did
  superconv-tune range-test SPEC --edge                       also the largest stable constant rate

\b
Exit codes: 0 a learning rate was found; 2 the input is wrong and nothing was started; 3 no learning rate was found, and
why; 130 interrupted; 1 a failure of the program itself.
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def range_test(  # noqa: PLR0913 - a command line
    spec: Spec = None,
    data: Data = None,
    label: Label = None,
    group: Group = None,
    model: Annotated[str | None, typer.Option(help="Built-in model, instead of the spec's.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd or adamw, instead of the spec's.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Batch size. Default: from the spec's space.")] = None,
    weight_decay: Annotated[str | None, typer.Option(help="Weight decay. Default: from the spec's space.")] = None,
    base_momentum: Annotated[
        str | None, typer.Option(help="Lowest momentum of a cycle, at which ramps run. Default: from the spec's space.")
    ] = None,
    epochs: Annotated[
        list[float] | None,
        typer.Option(min=0.01, callback=finite, help="Cycle length to show a peak for; may be repeated."),
    ] = None,
    rule: Annotated[
        str, typer.Option(help="probes, or a rule that reads only the ramp, such as lowest or valley.")
    ] = "probes",
    ramp: Annotated[Literal["exponential", "linear"], typer.Option(help="How the rates rise.")] = "exponential",
    low: Annotated[
        float | None, typer.Option(min=0.0, callback=finite, help="First rate. Default: found by a coarse ramp.")
    ] = None,
    high: Annotated[
        float | None, typer.Option(min=0.0, callback=finite, help="Last rate. Default: found by a coarse ramp.")
    ] = None,
    steps: Annotated[int, typer.Option(min=0, help="Steps of the fine ramp; 0 for 60 per decade.")] = 0,
    smooth: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=0.5, callback=finite, help="Half-life of the smoothing, as a share of the ramp. Default: 0.02."
        ),
    ] = None,
    replicates: Annotated[int, typer.Option(min=1, help="Number of ramps, each from another seed.")] = 3,
    probe_epochs: Annotated[
        float | None, typer.Option(min=0.01, callback=finite, help="Length of the probes. Default: one epoch.")
    ] = None,
    edge: Annotated[bool, typer.Option("--edge", help="Also bisect the largest stable constant rate.")] = False,  # noqa: FBT002
    seed: Seed = None,
    tracking_uri: TrackingUri = None,
    output: NewOutput = None,
    name: Annotated[str | None, typer.Option(help="Name of the folder of this test.")] = None,
) -> None:
    """Find the peak learning rate of a cycle: ramps, then short cycles at the rates that the ramps suggest."""
    given = {
        "data.path": data, "data.args.label": label, "split.group": group, "model": model,
        "optimizer.name": optimizer,
        "space.batch_size": batch_size, "space.weight_decay": weight_decay, "space.base_momentum": base_momentum,
        "seed": seed, "tracking_uri": tracking_uri, "output": output,
    }  # fmt: skip
    with exit_on_user_error():
        # --help must answer at once.
        from superconv_tune.lr.lr_range import HALF_LIFE_SHARE  # noqa: PLC0415
        from superconv_tune.spec.load import load_spec  # noqa: PLC0415

        checked = load_spec(spec, {key: value for key, value in given.items() if value is not None})
        # A typing error must be answered at once, and torch and MLflow take seconds to import.
        from superconv_tune.study import range_test as study  # noqa: PLC0415

        smooth = HALF_LIFE_SHARE if smooth is None else smooth
        options = study.Options(rule, ramp, low, high, steps, smooth, replicates, probe_epochs, edge)
        found = study.range_test(checked, options, name, tuple(epochs or study.LENGTHS), typer.echo)
    raise typer.Exit(0 if found else 3)
