"""report.html: one page that needs no network."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import yaml

from superconv_tune.core.words import DASH, number, probability_words
from superconv_tune.record.trial import Fit, Trial
from superconv_tune.reporting import figures
from superconv_tune.reporting.baseline_words import (
    caveat,
    comparison_sentence,
    gain_words,
    match_words,
    prose,
    remarks,
    searched_policy,
)
from superconv_tune.reporting.findings import Findings, publishable
from superconv_tune.reporting.page import Panel, drawn, render
from superconv_tune.reporting.sentences import (
    LABELS,
    budget_words,
    duration,
    estimate_or_why,
    goal,
    in_words,
    kept_words,
    model_words,
    outlook_sentence,
    reachable_words,
    recipe_words,
    settling_words,
    size_words,
    verdict_sentence,
)
from superconv_tune.verdict.comparison import ComparedPolicy
from superconv_tune.verdict.standing import Standing

SHOWN_PARAMS = ("base_momentum", "max_momentum", "weight_decay", "pct_start", "batch_size", "augment")
NO_CURVES = "not recorded: the search ran without MLflow"


LADDER = Panel(
    "ladder",
    "What longer training buys",
    "Every search trial is a complete cycle, measured on the validation part. Diamonds, a little to the right, are "
    "fresh models of the chosen recipe on the untouched test part, with the estimate beside them. Squares are the "
    "recipe at shorter lengths. The interval for longer cycles, at the right, is computed from these, or from the best "
    "search trials. The axis leaves out the worst quarter of the trials: double-click to see all.",
    "No cycle has finished, so there is nothing to draw; families that are fitted, such as trees, have none.",
)
RANGE_TESTS = Panel(
    "range-tests",
    "Which learning rates are stable",
    "In a range test the learning rate rises from step to step until the loss explodes. The shaded band ends at the "
    "rate of lowest loss and starts at a tenth of it. The pick is the peak for a short cycle; for longer ones it is "
    "adjusted.",
    "No range test was recorded.",
)
CYCLES = Panel(
    "cycles",
    "The winner's training, and its repetitions",
    "Pale lines: loss of single batches, thinned so that extremes stay; strong lines: their moving average. Momentum "
    "falls while the learning rate rises, and the other way round.",
    "There is no cycle to show: no recipe was chosen, or its family is fitted and not trained in cycles.",
)
BASELINES = Panel(
    "baselines",
    "Other learning-rate policies at equal length",
    "Each policy at the best of the learning rates tried for it, with the parameters of the recipe, on the validation "
    "part; the test part is not used for them. The searched policy is measured on the same terms: by fresh seeds of "
    "the recipe, or by the expected best of equally many of its trials of that length. Intervals (95 %) are over items "
    "and seeds.",
    "No other policy was compared at equal length.",
)
IMPORTANCE = Panel(
    "importance",
    "Which settings mattered",
    "How much each setting matters for being among the best search trials, within the ranges searched. With few trials "
    "this is a hint and not a measurement.",
    "Too few trials finished to say which settings mattered.",
)
TIME_SPENT = Panel(
    "time-spent",
    "Where the time went",
    "Seconds of all workers together, by kind of trial and activity.",
    "No trial has ended yet.",
)
Draw = Callable[[Findings], go.Figure | None]  # None if there is nothing to draw
EVIDENCE: tuple[tuple[Panel, Draw], ...] = (
    (LADDER, figures.ladder),
    (RANGE_TESTS, figures.range_tests),
    (CYCLES, figures.cycles),
    (BASELINES, figures.baselines),
)
ACCOUNTS: tuple[tuple[Panel, Draw], ...] = ((IMPORTANCE, figures.importance), (TIME_SPENT, figures.time_spent))


def render_report(findings: Findings, folder: Path, again: str) -> str:
    """The whole page, as `superconv_tune.reporting.page.render` makes it.

    Args:
        findings: what it tells of.
        folder: the study's, to which its commands lead.
        again: the command that writes it again.
    """
    return render(
        "report.html",
        **_answer(findings),
        evidence=[drawn(panel, draw(findings)) for panel, draw in EVIDENCE],
        accounts=[drawn(panel, draw(findings)) for panel, draw in ACCOUNTS],
        baselines=[_baseline_row(baseline) for baseline in findings.baselines],
        comparison=[text for text in (comparison_sentence(findings), *remarks(findings.shortfall)) if text],
        policy=searched_policy(findings),
        leaderboard=[_standing_row(standing) for standing in findings.leaderboard],
        landmarks=findings.study.opened.measured.landmarks,
        winner=findings.winner.request.trial_id if findings.winner else None,
        rows=[(_row(findings, trial), trial.outcome.reason) for trial in findings.study.trials()],
        running=len(findings.study.running()),
        environment=_flat(publishable(findings.study.opened.environment)),
        commands=_commands(findings, folder, again),
        spec=yaml.safe_dump(publishable(findings.study.opened.spec), sort_keys=False, allow_unicode=True),
    )


def _answer(findings: Findings) -> dict[str, Any]:
    opened, verdict = findings.study.opened, findings.verdict
    facts = {
        "Estimate": estimate_or_why(findings),
        "Longer cycles": reachable_words(verdict.reachable) if verdict.reachable else "no forecast",
        **_chance(findings),
        "Fresh models": str(len(findings.confirmations)),
        **_test_part(opened.environment.get("data")),
        "Recipe": recipe_words(findings.winner) if findings.winner else "no trial ran to its end",
        "Spent": budget_words(findings),
        "Full curves": f"in MLflow, run {opened.mlflow.get('run_id')}" if opened.mlflow else NO_CURVES,
    }
    if findings.kept is not None:
        facts["Trained models"] = kept_words(findings.kept)
    if verdict.settling is not None:
        facts["What would settle it"] = settling_words(verdict.settling)
    spec = publishable(opened.spec)
    model = model_words(spec.get("model"))
    return {
        "name": opened.name,
        "question": f"Can {model} reach {goal(findings.target)}"
        if findings.target.value is not None
        else f"How far does {model} get in {findings.target.metric}",
        "data": in_words(spec.get("data") or spec.get("task")),
        "limit_s": findings.limit_s,
        "word": verdict.word or "measured",
        "verdict_label": LABELS[verdict.word],
        "verdict": verdict_sentence(findings),
        "facts": facts,
        "reasons": verdict.reasons,
        "changes": (*verdict.warnings, outlook_sentence(verdict)),
        "metric": findings.target.metric,
    }


def _chance(findings: Findings) -> dict[str, str]:
    """How probable it is that the target is within reach; empty without a target."""
    if findings.target.value is None:
        return {}
    return {"Probability that the target is within reach": probability_words(findings.verdict.probability)}


def _test_part(card: object) -> dict[str, str]:
    """How many groups are behind the test part; empty if every example stands for itself."""
    if not isinstance(card, Mapping) or not card.get("test_groups"):
        return {}
    return {"Test part": f"{card['test_items']:,} examples of {card['test_groups']:,} groups"}


def _row(findings: Findings, trial: Trial) -> dict[str, Any]:
    """One row of the trial table; numbers are kept as numbers, so that the page can sort them."""
    request, outcome = trial.request, trial.outcome
    params = None if isinstance(request.work, Fit) else request.params
    return {
        "trial": request.trial_id,
        **({"family": request.family} if findings.study.arms else {}),
        "kind": request.kind,
        "status": outcome.status + (", shortened" if outcome.shortened else ""),
        "validation": outcome.validation,
        "test": outcome.test,
        "optimism": findings.optimism(outcome),
        "epochs": outcome.epochs,
        "max_lr": outcome.max_lr,
        **{name: getattr(params, name, None) for name in SHOWN_PARAMS},
        "seed": request.seed,
        "seconds": outcome.wall_s,
    }


def _standing_row(standing: Standing) -> dict[str, str]:
    """One row of the leaderboard, as texts."""
    return {
        "family": standing.family,
        "value": number(standing.value),
        "interval": _interval(standing.low, standing.high),
        "part": f"{standing.part}, {standing.models} model{'s' * (standing.models != 1)}",
        "validation": number(standing.validation),
        "seconds": duration(standing.seconds),
        "size": size_words(standing),
        "class": "winner" if standing.is_recipe else "",
    }


def _baseline_row(baseline: ComparedPolicy) -> dict[str, str]:
    """One row of the comparison, as texts."""
    return {
        "policy": prose(baseline.schedule),
        "value": number(baseline.value),
        "interval": _interval(baseline.low, baseline.high),
        "length": f"{number(baseline.epochs)} ({baseline.steps} steps)",
        "rate": f"{number(baseline.max_lr, 3)}, of {baseline.tried}",
        "caveat": caveat(baseline),
        "rival": number(baseline.rival),
        "gain": gain_words(baseline),
        "match": match_words(baseline),
    }


def _interval(low: float | None, high: float | None) -> str:
    """The ends of an interval; a dash if they are not known."""
    return DASH if low is None or math.isnan(low) else f"{number(low)} to {number(high)}"


def _commands(findings: Findings, folder: Path, again: str) -> dict[str, str]:
    """What to do next, as a shell takes it in the folder where the search was started."""
    with_recipe = {
        "Train the long run with this recipe": _command("train", str(folder / "recipe.yaml"), "--epochs", "N"),
    }
    always = {
        "Ask the same question again (the spec below, saved as spec.yaml)": _command("search", "spec.yaml"),
        "Write this page again": again,
    }
    with_model = {"Predict with the model that is kept": _command("predict", str(folder), "NEW_DATA")}
    return (with_model if findings.kept else {}) | (with_recipe if findings.winner else {}) | always


def _command(verb: str, *arguments: str) -> str:
    return shlex.join(["python", "-m", f"superconv_tune.{verb}", *arguments])


def _flat(part: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings flattened to one level with dotted names."""
    flat: dict[str, str] = {}
    for key, value in part.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: in_words(value)}
    return flat
