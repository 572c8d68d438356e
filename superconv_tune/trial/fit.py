"""One fit of a family that is not trained in cycles, and its evaluation."""

from __future__ import annotations

from torch import Tensor

from superconv_tune.data.nested import joined
from superconv_tune.problems.problem import EvaluationSet, Fitted
from superconv_tune.record.trial import Fit
from superconv_tune.trial.attempt import Attempt
from superconv_tune.trial.failures import Stopped, guarded

MARGIN_S = 0.5  # between the end of the evaluation and the deadline


def run_fit(attempt: Attempt, fit: Fit) -> tuple[Fitted, Tensor | None]:
    """Fit a model, judge it on the validation part, and on the test part if that is asked for.

    Returns:
        The model, and its outputs on the test part; None if that was not asked for.

    Raises:
        Stopped: if the deadline leaves no time for anything useful, or a metric is not finite.
    """
    attempt.check_deadline()
    fitter, deadline = attempt.problem.fitter, attempt.request.deadline
    if fitter is None:
        raise TypeError("The family is trained in cycles, and cannot be fitted.")
    with attempt.timed("train_s"):
        try:
            model = fitter.fit(fit.options, attempt.request.seed, lambda: deadline - MARGIN_S - attempt.clock())
        except TimeoutError as error:
            raise Stopped("deadline", str(error)) from error
    attempt.note(shortened=not model.is_whole, model_bytes=model.size_bytes)
    with attempt.timed("eval_s"):
        return model, _judged(attempt, model, reads_test=fit.reads_test)


def _judged(attempt: Attempt, model: Fitted, *, reads_test: bool) -> Tensor | None:
    """The outputs on the test part, if it is read."""
    problem = attempt.problem
    outputs, targets = model.outputs("validation", problem.device), _targets(problem.validation)
    attempt.judge_validation(outputs, targets)
    if not reads_test:
        return None
    outputs, targets = model.outputs("test", problem.device), _targets(problem.test)
    attempt.judge_test(outputs, targets)
    return outputs


def _targets(part: EvaluationSet) -> Tensor:
    targets: Tensor = joined([targets for _, targets in guarded(part.batches)])
    return targets
