"""The trained models that a study keeps."""

from __future__ import annotations

import logging

from superconv_tune.kept import shelf
from superconv_tune.record.kept import KeptModels
from superconv_tune.record.study import Study
from superconv_tune.study.places import Places

logger = logging.getLogger(__name__)


def keep_models(study: Study, where: Places, most: int) -> KeptModels | None:
    """Choose among the models that the trials have left; None if there are none, or the folder cannot be written."""
    try:
        return shelf.publish(where.drafts, where.model, _trials(study), most)
    except OSError as error:
        logger.warning("The models are not kept in %s: %s", where.model, error)
        return None


def kept_models(study: Study, where: Places) -> KeptModels | None:
    """The models that the study has kept; None if there are none."""
    return shelf.facts(where.model, _trials(study))


def _trials(study: Study) -> set[str]:
    """The trials whose models count: fresh ones of the final recipe."""
    return {trial.request.trial_id for trial in study.fresh_models()}
