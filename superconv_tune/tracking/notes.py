"""The notes that MLflow shows with an experiment and with a run, in Markdown: what it is, and what to open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from superconv_tune.core.words import number
from superconv_tune.record.trial import Cycle, TrialOutcome, TrialRequest
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.series import Phase
from superconv_tune.tracking.views import SEARCHES, charts_link, comparison_link, run_link, table_link, view_link

NOTE = "mlflow.note.content"  # tag of a run or of an experiment
NOTE_CHARS = 5000  # the limit of MLflow 3.15 for the value of a tag
OPEN = "**Open:**"  # how the note of an experiment begins, unless somebody has written another one
PAGES = {"report.html": "report", "recipe.yaml": "recipe", "range_test.png": "figure"}  # files that are worth a link
PURPOSES: Mapping[str, str] = {
    "range_test": "learning-rate range test",
    "edge_test": "range test with a search for the largest stable rate",
    "smoke": "check that training works",
    "probe": "short cycle at one rate of the grid",
    "sampled": "parameters that the sampler proposed",
    "promoted": "parameters of a shorter cycle, in a longer one",
    "run_off": "fresh seed of one of the best, to choose the recipe",
    "confirm": "fresh model of the recipe, on the test part",
    "scaling": "the recipe at another length, or on less data",
    "baseline": "another learning-rate policy",
    "fitted": "family of models that is fitted, and not trained in cycles",
    "long_run": "long run of the recipe",
}


def experiment_note(experiment_id: str, experiment_ids: Sequence[str]) -> str:
    """The note of an experiment, whose first line is what its page shows at once.

    Args:
        experiment_id: of the experiment.
        experiment_ids: of all experiments of this program, this one included.
    """
    links = {"searches by target, verdict, estimate and minutes": view_link(experiment_id, SEARCHES)}
    if len(experiment_ids) > 1:
        links["the same for all data sets"] = comparison_link(experiment_ids)
    return (
        f"{OPEN} {_joined(links)}\n\n"
        "Every search is a run; its trials are the runs inside it. The note of a search links to its charts, "
        'its report and its recipe; the menu "Views" has the charts of all searches. Where the page is headed GenAI, '
        'choose "Model training" at the top left: the browser remembers it.'
    )


def parent_note(handle: StudyHandle, text: str, files: Iterable[str] = ()) -> str:
    """The note of a study's parent run.

    Args:
        handle: the study.
        text: what was asked, or found, in Markdown.
        files: names of the files of the run.
    """
    links = {"loss against learning rate": charts_link(handle), "table of the trials": table_link(handle)}
    present = set(files)
    links |= {words: run_link(handle, handle.run_id, name) for name, words in PAGES.items() if name in present}
    figure = [_figure(handle.run_id, "range_test.png")] if "range_test.png" in present else []
    return "\n\n".join([f"{OPEN} {_joined(links)}", text, *figure])[:NOTE_CHARS]


def trial_note(
    handle: StudyHandle, run_id: str, request: TrialRequest, outcome: TrialOutcome, phases: Iterable[Phase]
) -> str:
    """The note of a trial's run.

    Args:
        handle: its study.
        run_id: its run.
        request: what was asked for.
        outcome: how it ended.
        phases: those of which the run has a figure.
    """
    links = {
        "the search": run_link(handle, handle.run_id),
        "all curves": charts_link(handle),
        "every step": run_link(handle, run_id, "curves.parquet"),
    }
    what = PURPOSES[request.purpose.name]
    figures = [_figure(run_id, f"{phase}.png") for phase in phases]
    words = f"{what[0].upper()}{what[1:]}: {_result(handle, request, outcome)}"
    return "\n\n".join([words, f"{OPEN} {_joined(links)}", *figures])[:NOTE_CHARS]


def _result(handle: StudyHandle, request: TrialRequest, outcome: TrialOutcome) -> str:
    metric = handle.subject.metric
    known = {"validation": outcome.validation, "test": outcome.test}
    values = [f"{metric} {number(value)} on the {part} part" for part, value in known.items() if value is not None]
    length = [f"{number(outcome.epochs)} epochs"] if isinstance(request.work, Cycle) else []
    peak = [f"max_lr {outcome.max_lr:.3g}"] if outcome.max_lr is not None else []
    return ", ".join([outcome.status, *length, *peak, *values]) + "."


def _joined(links: Mapping[str, str]) -> str:
    return " · ".join(f"[{words}]({address})" for words, address in links.items())


def _figure(run_id: str, name: str) -> str:
    """A file of the run as an image, from the address at which MLflow's server has it."""
    return f"![{name}](get-artifact?path={name}&run_uuid={run_id})"
