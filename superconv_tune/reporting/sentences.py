"""Sentences about the findings, shared by console and report."""

from __future__ import annotations

from collections.abc import Mapping

from superconv_tune.core.words import DASH, number, percent, probability_words
from superconv_tune.record.kept import Ensemble, KeptModels
from superconv_tune.record.trial import Fit, Trial
from superconv_tune.reporting.findings import Findings
from superconv_tune.spec.spec import ModelSpec
from superconv_tune.verdict.standing import Standing
from superconv_tune.verdict.verdict import Estimate, Reachable, Settling, Target, Verdict

LABELS: Mapping[str | None, str] = {
    "demonstrated": "Demonstrated",
    "likely": "Likely",
    "undecided": "Undecided",
    "infeasible": "Infeasible",
    None: "Measured",
}

ANSWERS: Mapping[str, str] = {
    "demonstrated": "Yes. Fresh models reached {goal} on test data that the search never saw.",
    "likely": "Probably. It looks possible to reach {goal}, but the evidence falls short of a demonstration.",
    "undecided": "Open. Within this budget it was neither shown nor ruled out that {goal} can be reached.",
    "infeasible": "No. Reaching {goal} is beyond this family of models and this budget of training.",
}

MORE_TIME = "More time may settle it (resume the study with a larger budget), and so may a stronger model or more data."
NOT_TIME = "A stronger model or more data may settle it."
OUTLOOKS: Mapping[str | None, str] = {
    "demonstrated": "The answer holds for data like these; different data need a study of their own.",
    "infeasible": "Another family of models, more data or much longer training may reach it; none of these was tested.",
    None: "With a target, the same study says how likely it is to be reached.",
}
NO_ESTIMATE = "not known yet (see the reasons)"


def verdict_sentence(findings: Findings) -> str:
    """The answer in one or two sentences that need no statistics."""
    word, estimate, target = findings.verdict.word, findings.verdict.estimate, findings.target
    if word is not None:
        return ANSWERS[word].format(goal=goal(target))
    if estimate is not None:
        reached = f"Fresh models of the best recipe reach {target.metric} {estimate_words(estimate)}"
        reachable = findings.verdict.reachable
        return f"{reached}; {reachable_words(reachable)}." if reachable else f"{reached}."
    if findings.confirmations:
        return f"How good fresh models of the best recipe are is {NO_ESTIMATE}."
    return "No recipe was confirmed on fresh models, so there is no reliable figure."


def outlook_sentence(verdict: Verdict) -> str:
    """What could change the answer."""
    if verdict.word in ("likely", "undecided"):
        return MORE_TIME if verdict.longer_may_help else NOT_TIME
    return OUTLOOKS[verdict.word]


def goal(target: Target) -> str:
    """The target in words: ``accuracy of at least 0.94``, and with which probability if not one half."""
    if target.value is None:
        return f"the best {target.metric}"
    bound = "at least" if target.yardstick.higher_is_better else "at most"
    often = "" if target.reliability == 0.5 else f" with probability at least {percent(target.reliability)}"
    return f"{target.metric} of {bound} {number(target.value)}{often}"


def estimate_words(estimate: Estimate) -> str:
    """The estimate in words: ``0.951 (95 % interval 0.946 to 0.955)``."""
    ends = f"{number(estimate.low)} to {number(estimate.high)}"
    return f"{number(estimate.value)} ({percent(estimate.level)} interval {ends})"


def estimate_or_why(findings: Findings) -> str:
    """The estimate in words, or why there is none."""
    if findings.verdict.estimate is not None:
        return estimate_words(findings.verdict.estimate)
    return NO_ESTIMATE if findings.confirmations else "none: nothing was confirmed"


def kept_words(kept: KeptModels) -> str:
    """The models that are kept, and what they reach together, in words."""
    models = "1 model" if kept.models == 1 else f"{kept.models} models, of which the best on validation predicts"
    return f"{kept.folder}: {models}{ensemble_words(kept.ensemble) if kept.ensemble else ''}"


def ensemble_words(ensemble: Ensemble) -> str:
    """What all kept models reach together, and at which price, as the end of a sentence."""
    value = number(ensemble.value)
    if ensemble.low is not None and ensemble.high is not None:
        value = estimate_words(Estimate(ensemble.value, ensemble.low, ensemble.high, ensemble.level))
    return f"; together they reach {value} on the test part, at {ensemble.models} times the cost of one"


def reachable_words(reachable: Reachable) -> str:
    """The forecast in words: ``with cycles of up to 80 epochs, 0.96 (90 % interval 0.95 to 0.97)``."""
    within = Estimate(reachable.value, reachable.low, reachable.high, reachable.level)
    return f"with cycles of up to {number(reachable.epochs)} epochs, {estimate_words(within)}"


def settling_words(settling: Settling) -> str:
    """What would settle an open question: ``fresh models in cycles of 27 to 40 epochs, 9 to 14 minutes``."""
    epochs = _span(settling.low_epochs, settling.high_epochs)
    minutes = f", {_span(settling.low_minutes, settling.high_minutes)} minutes" if settling.low_minutes > 0.0 else ""
    return f"fresh models in cycles of {epochs} epochs{minutes}"


def _span(low: float, high: float | None) -> str:
    return f"{number(low)} or more" if high is None else f"{number(low)} to {number(high)}"


def ending_words(verdict: Verdict, target: Target, models: int) -> str:
    """What a search would answer if it ended now: ``demonstrated: accuracy 0.951 (95 % interval 0.946 to 0.955)``.

    Args:
        verdict: the answer.
        target: the question.
        models: number of fresh models of the recipe.
    """
    word = f"{verdict.word}: " if verdict.word is not None else ""
    if verdict.estimate is None:
        return word + (
            f"{target.metric} of fresh models is not known yet" if models else "no fresh model is confirmed yet"
        )
    found = f"{word}{target.metric} {estimate_words(verdict.estimate)} on test data"
    is_open = verdict.word in ("likely", "undecided")
    return f"{found}, probability {probability_words(verdict.probability)}" if is_open else found


def recipe_words(trial: Trial) -> str:
    """The recipe in one line."""
    request, outcome = trial.request, trial.outcome
    params = request.params
    if isinstance(request.work, Fit):
        options = [f"{name} {value}" for name, value in request.work.options.items()]
        return ", ".join([request.family, *(options or ["default options"]), f"seed {request.seed}"])
    return ", ".join(
        [
            *([request.family] if request.family else []),
            f"{request.schedule.label} of {number(params.cycle_epochs)} epochs",
            f"max_lr {number(outcome.max_lr, 3)}",
            f"momentum {number(params.base_momentum, 3)} to {number(params.max_momentum, 3)}",
            f"weight_decay {number(params.weight_decay, 3)}",
            f"batch_size {params.batch_size}",
            *([] if params.augment else ["images not augmented"]),
            f"seed {request.seed}",
        ]
    )


def standing_words(standing: Standing) -> str:
    """What a family reached: ``trees 0.902 (0.893 to 0.911) on validation, 4 s, 362 kB``."""
    span = "" if standing.low is None else f" ({number(standing.low)} to {number(standing.high)})"
    return f"{standing.family} {number(standing.value)}{span} on {standing.part}, {', '.join(_cost_words(standing))}"


def _cost_words(standing: Standing) -> list[str]:
    return [duration(standing.seconds), *([size_words(standing)] if standing.size is not None else [])]


def size_words(standing: Standing) -> str:
    """The size of a model: ``85,506 parameters`` or ``362 kB``; a dash if it is not known."""
    if standing.size is None:
        return DASH
    return f"{standing.size / 1000:,.0f} kB" if standing.unit == "bytes" else f"{standing.size:,} parameters"


def budget_words(findings: Findings) -> str:
    """How much of the budget was used, and which share of it for training."""
    done = len(findings.study.outcomes)
    return (
        f"{duration(findings.used_s)} of {duration(findings.limit_s)}, {done} trial{'s' * (done != 1)}, "
        f"{100 * findings.training_share:.0f} % of the worker time in training and evaluation"
    )


def duration(seconds: float) -> str:
    """A duration in words: ``45 s``, ``9 min 40 s`` or ``1 h 2 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def model_words(model: object) -> str:
    """The families of models in words, without what is left at its default: ``resnet9 (width 0.25)``, ``trees or mlp``.

    Args:
        model: the part ``model`` of a spec; None where the task brings its own.
    """
    if model is None:
        return "the model of the task"
    if isinstance(model, list | tuple):
        *most, last = map(model_words, model)
        return f"{', '.join(most)} or {last}" if most else last
    return in_words(ModelSpec.model_validate(model).model_dump(mode="json", exclude_defaults=True))


def in_words(part: object) -> str:
    """A part of the spec in words: ``resnet9 (width 64)``."""
    if isinstance(part, list | tuple):
        return ", ".join(in_words(item) for item in part) or "none"
    if not isinstance(part, Mapping):
        return DASH if part is None else str(part)
    named = {key: value for key, value in part.items() if value not in (None, "", {}, [])}
    name = next((key for key in ("name", "format", "kind", "factory") if key in named), None)
    rest = ", ".join(f"{key} {in_words(value)}" for key, value in named.items() if key != name)
    if name is None:
        return rest or DASH
    return f"{named[name]} ({rest})" if rest else str(named[name])
