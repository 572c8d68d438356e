"""What past trials teach: a start for the next rung, and the importance of each parameter."""

from __future__ import annotations

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

CONSTRAINT = "did_not_train"  # -1 for a trial that trained, 1 for one that did not; Optuna calls up to 0 feasible
INHERITED = "inherited_from"

LEADERS = 5  # trials that importance calls good: at least this many (Optuna's advice for PED-ANOVA) ...
LEADING_SHARE = 0.1  # ... and at least this share of all
FEWEST_TRIALS = 4 * LEADERS  # the good ones must be a minority to be compared with the rest


def inherit(rung: optuna.Study, previous: optuna.Study) -> None:
    """Add the trials of the previous rung to this one, shifted to this one's level; does nothing the second time.

    The shift compares equally many of the best trials of both rungs: a ladder promotes the best, so these are mostly
    the same configurations. A rung without trials of its own takes the values unchanged. The spread is left unchanged:
    samplers standardise (GP) or rank (TPE) the values that they see, so only the level matters to them.
    """
    if any(INHERITED in trial.user_attrs for trial in rung.get_trials(deepcopy=False)):
        return
    shift = _level_shift(rung, previous)
    for trial in _complete(previous):
        assert trial.value is not None
        rung.add_trial(
            create_trial(
                value=trial.value + shift if trained(trial) else trial.value,
                params=trial.params,
                distributions=trial.distributions,
                constraints=dict(trial.constraints),
                user_attrs={INHERITED: f"{previous.study_name} #{trial.number}"},
            )
        )


def trained(trial: FrozenTrial) -> bool:
    """Whether a complete trial really trained; the value of one that did not is that of a constant guess."""
    return trial.constraints.get(CONSTRAINT, -1.0) <= 0.0


def importance(rung: optuna.Study) -> dict[str, float]:
    """Importance of each parameter for being among the best trials, by PED-ANOVA; the shares add up to 1.

    Empty for fewer than `FEWEST_TRIALS` complete trials of the rung itself, or if all of them are equally good.

    Source: Watanabe, Bansal and Hutter 2023, PED-ANOVA (arXiv:2304.10255).
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # noqa: PLC0415 - takes half a second

    own = [trial for trial in _complete(rung) if INHERITED not in trial.user_attrs]
    if len(own) < FEWEST_TRIALS or len({trial.value for trial in own}) == 1:
        return {}
    varied = [name for name in own[0].params if len({trial.params.get(name) for trial in own}) > 1]
    alone = optuna.create_study(direction=rung.direction)
    alone.add_trials(own)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(LEADING_SHARE, LEADERS / len(own)))
    return get_param_importances(alone, evaluator=evaluator, params=varied)


def _level_shift(rung: optuna.Study, previous: optuna.Study) -> float:
    """Mean of this rung's best trials minus the mean of equally many of the previous rung's; 0 if either has none."""
    here, before = _ranked(rung), _ranked(previous)
    count = min(len(here), len(before))
    return (sum(here[:count]) - sum(before[:count])) / count if count else 0.0


def _ranked(study: optuna.Study) -> list[float]:
    """Values of the trials that trained, the best first."""
    values = [trial.value for trial in _complete(study) if trained(trial) and trial.value is not None]
    return sorted(values, reverse=study.direction == StudyDirection.MAXIMIZE)


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
