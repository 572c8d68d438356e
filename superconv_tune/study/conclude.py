"""What a study found, computed from its events."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from superconv_tune.core.errors import StorageError
from superconv_tune.core.secrets import Address
from superconv_tune.core.yardstick import Yardstick
from superconv_tune.journal.schema import creating_tables
from superconv_tune.planner.baselines import comparison_of, shortfall
from superconv_tune.planner.brief import Brief
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.planner.first_ramps import pooled_range_test
from superconv_tune.planner.leaderboard import leaderboard, leading
from superconv_tune.planner.learned import yardstick_of
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.record.kept import KeptModels
from superconv_tune.record.study import Study
from superconv_tune.record.trial import Trial
from superconv_tune.reporting.console import FAILED
from superconv_tune.reporting.findings import Findings
from superconv_tune.verdict.comparison import compare
from superconv_tune.verdict.ladder import best, best_so_far, rungs
from superconv_tune.verdict.perspective import with_landmarks
from superconv_tune.verdict.steadiness import is_unsteady

logger = logging.getLogger(__name__)

LOST_SHARE = 0.1  # of all attempts at trials; a few are lost wherever machines come and go
EXPECTED_TRIALS = 100  # for the choice of the sampler, where the user set no limit


def proposer_of(
    name: str, brief: Brief, sampler: str, storage: Address | str, engine: Mapping[str, Any] | None = None
) -> Proposer:
    """The sampler of a study, with everything that it has learned so far.

    Raises:
        StorageError: if the database does not answer.
    """
    address = Address.of(storage, "storage")
    with creating_tables(address):  # Optuna's, which beside another new search would collide
        return Proposer(
            address,
            name,
            brief.space,
            brief.target.direction,
            sampler,
            brief.seed,
            brief.trials or EXPECTED_TRIALS,
            engine,
        )


def findings_of(
    study: Study,
    brief: Brief,
    proposer: Proposer | None,
    now: float,
    more_warnings: Sequence[str] = (),
    kept: KeptModels | None = None,
) -> Findings:
    """Everything that the study found up to ``now``.

    Args:
        study: its state.
        brief: what the user asked for.
        proposer: its sampler, which estimates importance; None if its database does not answer.
        now: Unix time in seconds.
        more_warnings: they join the warnings of its verdict.
        kept: the models in its folder.
    """
    yardstick = yardstick_of(study, brief)
    lead = leading(study, brief)  # the family that the answer is about
    verdict = with_landmarks(verdict_of(lead, brief), brief.target, study.opened.measured.landmarks)
    found = (*_empty(study), *_lost(study), *_fresh_ledger(study), *_changed(study), *_unsteady(lead, yardstick))
    warnings = (*verdict.warnings, *found, *more_warnings)
    return Findings(
        study=study,
        target=brief.target,
        verdict=replace(verdict, warnings=warnings),
        ladder=rungs(lead, yardstick),
        winner=_origin(lead) or _best_fit(lead, yardstick) or best_so_far(lead, yardstick),
        range_test=pooled_range_test(lead),
        importance=_importance(study, proposer),
        now=now,
        baselines=compare(lead, yardstick),
        shortfall=shortfall(comparison_of(lead, brief, now), lead, brief),
        leaderboard=leaderboard(study, brief),
        kept=kept,
    )


def _best_fit(study: Study, yardstick: Yardstick) -> Trial | None:
    """The best fit of a family that is fitted; None for a network."""
    return best((trial for trial in study.trials("fit") if trial.is_whole), yardstick)


def _origin(study: Study) -> Trial | None:
    """The search trial that the recipe comes from, with the recipe's length and peak; None before one was frozen."""
    recipe = study.recipe
    if recipe is None:
        return None
    trial = study.trial(recipe.origin)
    if recipe.fit is not None:
        return trial
    params = replace(recipe.params, lr_multiplier=trial.request.params.lr_multiplier)
    return Trial(replace(trial.request, params=params), replace(trial.outcome, max_lr=recipe.max_lr))


def _empty(study: Study) -> tuple[str, ...]:
    """A warning if the search ended before its first trial."""
    if study.requests or study.closed is None or study.closed.reason == "interrupted":
        return ()
    return ("No trial was run: the preflight left too little of the budget for one. Give a longer --budget.",)


def _lost(study: Study) -> tuple[str, ...]:
    """A warning, with the commonest reason, if many trials were lost to failures of the code or of workers."""
    failed = [outcome for outcome in study.outcomes.values() if outcome.status in FAILED]
    if not failed or len(failed) < LOST_SHARE * len(study.outcomes):
        return ()
    [(reason, _)] = Counter(f"{outcome.status}: {outcome.reason}" for outcome in failed).most_common(1)
    return (f"{len(failed)} of {len(study.outcomes)} trials were lost. Most often: {reason.rstrip('.: ')}.",)


def _changed(study: Study) -> tuple[str, ...]:
    """A warning if the user accepted changes, so that not all trials are of one thing."""
    if not study.changes:
        return ()
    return (f"The study was resumed though something had changed: {'; '.join(study.changes)}. It mixes both.",)


def _fresh_ledger(study: Study) -> tuple[str, ...]:
    """A warning if the user said that earlier looks at the test part do not count."""
    reason = study.opened.fresh_ledger
    return (f"Earlier looks at this test part were not counted (--fresh-ledger): {reason}",) if reason else ()


def _unsteady(study: Study, yardstick: Yardstick) -> tuple[str, ...]:
    """A warning if a recipe was given up because of its fresh seeds, or should have been.

    One that follows with the same peak is longer, or the best again, and a fit has no learning rate.
    """
    recipe = study.recipe
    if recipe is None or recipe.fit is not None:
        return ()
    if is_unsteady(study, yardstick):
        return (
            "Fresh seeds of the recipe lie far apart, or some of them failed: its learning rate is close to the edge. "
            "A lower one would be a steadier recipe; none was confirmed.",
        )
    if recipe.max_lr == study.recipes[0].max_lr:
        return ()
    return (
        f"The recipe that looked best, with a peak learning rate of {study.recipes[0].max_lr:.3g}, did not hold up "
        f"over fresh seeds; this one peaks at {recipe.max_lr:.3g}.",
    )


def _importance(study: Study, proposer: Proposer | None) -> dict[str, float]:
    """The importance of each hyperparameter, estimated on the rung with the most trials; empty if it is not known."""
    keys = [request.proposal.study for request in study.requests.values() if request.proposal is not None]
    if not keys or proposer is None:
        return {}
    try:
        [(commonest, _)] = Counter(keys).most_common(1)
        return proposer.importance(commonest)
    except StorageError as error:
        logger.warning("The importance of hyperparameters is not known: %s", error)
        return {}
