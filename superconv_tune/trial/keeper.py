"""The interface of whatever keeps trained models."""

from __future__ import annotations

import logging
from traceback import format_exc
from typing import Any, Protocol

from torch import nn

from superconv_tune.core.secrets import masked
from superconv_tune.problems.problem import Fitted
from superconv_tune.record.trial import TrialOutcome, TrialRequest

_log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Keeps the model of a trial that was evaluated on the test part."""

    def keep(self, request: TrialRequest, outcome: TrialOutcome, model: nn.Module | Fitted, outputs: Any) -> None:
        """Keep the model.

        Args:
            request: the trial.
            outcome: its results, those on the validation and the test part among them.
            model: the trained model.
            outputs: its outputs on the test part.
        """
        ...


def kept(keeper: Keeper, request: TrialRequest, outcome: TrialOutcome, model: nn.Module | Fitted, outputs: Any) -> None:
    """Keep the model; a failure is logged, and loses the model and not the trial."""
    try:
        keeper.keep(request, outcome, model, outputs)
    except Exception:  # noqa: BLE001 - a full disk must not cost the trial
        _log.warning("The model of trial %s is not kept.\n%s", request.trial_id, masked(format_exc()))
