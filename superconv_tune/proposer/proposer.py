"""Optuna behind ask and tell: one Optuna study per rung, in the database of the journal."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import Trial, TrialState

from superconv_tune.core.codec import encode
from superconv_tune.core.errors import StorageError, UserError
from superconv_tune.core.secrets import Address, masked
from superconv_tune.core.space import SearchSpace
from superconv_tune.proposer.history import CONSTRAINT, importance, inherit, trained
from superconv_tune.proposer.optuna_samplers import Conditioned, Moment, contains, distribution
from superconv_tune.proposer.proposal import Proposed
from superconv_tune.proposer.samplers import SAMPLERS
from superconv_tune.record.purpose import Proposal
from superconv_tune.record.study import Study
from superconv_tune.record.trial import INFORMATIVE, TrialOutcome

WARM_START = "warm_start"

DIRECTIONS: dict[str, Literal["maximize", "minimize"]] = {"max": "maximize", "min": "minimize"}


@contextmanager
def _storage_checked() -> Iterator[None]:
    """Turn Optuna's failure to reach its database into an error that says how to fix it."""
    try:
        yield
    except StorageInternalError as error:
        cause = error.__cause__ or error
        words = masked(str(getattr(cause, "orig", None) or cause).strip()).splitlines()[0]
        raise StorageError(
            f"The storage did not accept a change to Optuna's study: {words}. All results are in the journal; fix the "
            f"storage and continue with --resume."
        ) from error


class Proposer:
    """Proposes parameters and learns from outcomes, one Optuna study per rung.

    The driver is the only writer, and everything is in the storage, so that a new driver continues exactly as the old
    one would have. A rung's study is named ``name/key`` in Optuna; `optuna-dashboard` shows it.

    Args:
        storage: database URL, the same as the journal's.
        name: name of the search.
        space: the dimensions to draw from.
        direction: ``max`` or ``min``, of the metric.
        sampler: a key of `SAMPLERS`.
        seed: every draw derives from it.
        expected_trials: approximate number of trials of the search; the sampler ``auto`` chooses by it.
        engine: what SQLAlchemy's ``create_engine`` takes besides, such as the journal's own connections.

    Every method raises StorageError if the database is unreachable or full, and may be called again then.

    Raises:
        UserError: if the search began with another space or direction.
        StorageError: as the methods do.
    """

    def __init__(  # noqa: PLR0913 - what the user decided, each a plain value
        self,
        storage: Address | str,
        name: str,
        space: SearchSpace,
        direction: str,
        sampler: str,
        seed: int,
        expected_trials: int,
        engine: Mapping[str, Any] | None = None,
    ) -> None:
        # Optuna logs to stderr by itself; its records are to go wherever the program logs.
        optuna.logging.disable_default_handler()
        optuna.logging.enable_propagation()
        self._name = name
        self._space = space
        self._direction = direction
        self._sampler = sampler
        self._seed = seed
        self._expected_trials = expected_trials
        self._distributions = {key: distribution(dimension) for key, dimension in space.items()}
        address = Address.of(storage, "storage")
        with _storage_checked():
            self._storage = RDBStorage(address.reveal(), engine_kwargs=dict(engine or {}))
            prefix = f"{name}/"
            full_names = optuna.get_all_study_names(self._storage)
            known = [full.removeprefix(prefix) for full in full_names if full.startswith(prefix)]
            self._rungs = {key: self._open(key) for key in known}

    def close(self) -> None:
        """Disconnect from the database."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    @_storage_checked()
    def ask(self, study: str, fixed: Mapping[str, float] | None = None) -> Proposed:
        """Parameters for the next trial of the rung ``study``; those in ``fixed`` come back as they are.

        A fixed value that the space does not contain (a length between two choices) is stored as an attribute of
        Optuna's trial and not as one of its parameters.
        """
        fixed = fixed or {}
        rung = self._rung(study)
        open_dimensions = {key: found for key, found in self._distributions.items() if key not in fixed}
        given = {key: value for key, value in fixed.items() if self._contains(key, value)}
        if open_dimensions:
            self._warm(rung)
        sampler = SAMPLERS[self._sampler](self._moment(study, len(open_dimensions)))
        rung.sampler = Conditioned(sampler, open_dimensions, given)
        # If one point is far better than all others, Optuna 5.0's GP divides 0 by 0, and works well without the result.
        with np.errstate(invalid="ignore"):
            trial = rung.ask(open_dimensions | {key: self._distributions[key] for key in given})
        for key in fixed.keys() - given.keys():
            trial.set_user_attr(key, fixed[key])
        return Proposed(Proposal(study, trial.number), {**fixed, **trial.params})

    @_storage_checked()
    def tell(self, proposal: Proposal, outcome: TrialOutcome) -> None:
        """Learn the outcome of a proposal; a second report of it changes nothing.

        A complete cycle counts with its raw metric; one that could not be trained counts with the metric of a constant
        guess and violates the constraint. A trial that failed for reasons outside its parameters is ignored, and so is
        a cycle that was shortened, because its value is that of another length.
        """
        if self._is_known(proposal):
            return
        trial = self._trial(proposal)
        notes = {"trial_id": outcome.trial_id, "status": outcome.status}
        if outcome.reason:
            notes["reason"] = outcome.reason
        if outcome.status not in INFORMATIVE or outcome.shortened or not math.isfinite(outcome.objective):
            _fail(trial, notes)
            return
        _annotate(trial, notes)
        if CONSTRAINT not in trial.constraints:
            trial.set_constraint(CONSTRAINT, -1.0 if outcome.status == "finished" else 1.0)
        trial.study.tell(trial, outcome.objective)

    @_storage_checked()
    def withdraw(self, proposal: Proposal) -> None:
        """Forget a proposal that was not handed out."""
        if not self._is_known(proposal):
            _fail(self._trial(proposal), {"reason": "The trial was not handed out."})

    @_storage_checked()
    def warm_start(self, study: str, previous: str) -> None:
        """Let the rung ``study`` learn from what the rung ``previous`` found, at its first draw.

        Not at once, because the first trials of a rung are configurations promoted from the rung below; they show how
        much more a longer cycle reaches (`superconv_tune.proposer.history.inherit`).
        """
        self._rung(study).set_user_attr(WARM_START, previous)

    @_storage_checked()
    def reconcile(self, study: Study) -> None:
        """Bring Optuna into line with the replayed journal.

        A proposal that was never handed out is marked as failed; an outcome that is in the journal and not in Optuna is
        added; a trial that is still running according to the journal is left unchanged.
        """
        handed_out = {r.proposal: r.trial_id for r in study.requests.values() if r.proposal is not None}
        for key, rung in self._rungs.items():
            for running in rung.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                proposal = Proposal(key, running.number)
                trial_id = handed_out.get(proposal)
                if trial_id is None:
                    _fail(self._trial(proposal), {"reason": "The driver ended before the trial was handed out."})
                elif trial_id in study.outcomes:
                    self.tell(proposal, study.outcomes[trial_id])

    @_storage_checked()
    def importance(self, study: str) -> dict[str, float]:
        """Importance of each parameter in this rung, as shares of 1; empty if there are too few trials."""
        rung = self._rungs.get(study)
        return {} if rung is None else importance(rung)

    # -- the studies of Optuna --------------------------------------------------------------------------------------

    def _rung(self, key: str) -> optuna.Study:
        if key not in self._rungs:
            self._rungs[key] = self._open(key)
        return self._rungs[key]

    def _open(self, key: str) -> optuna.Study:
        """The rung's study, created with its settings if it is new."""
        rung = optuna.create_study(
            storage=self._storage,
            study_name=f"{self._name}/{key}",
            direction=DIRECTIONS[self._direction],
            load_if_exists=True,
        )
        setup = {"direction": self._direction, "space": encode(self._space)}
        before = rung.user_attrs
        _refuse_change(self._name, {name: before.get(name, value) for name, value in setup.items()}, setup)
        setup |= {"sampler": self._sampler, "seed": self._seed}
        for name in setup.keys() - before.keys():
            rung.set_user_attr(name, setup[name])
        return rung

    def _warm(self, rung: optuna.Study) -> None:
        previous = self._rungs.get(str(rung.user_attrs.get(WARM_START)))
        if previous is not None:
            inherit(rung, previous)

    def _trial_id(self, proposal: Proposal) -> int:
        study_id = self._storage.get_study_id_from_name(f"{self._name}/{proposal.study}")
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, proposal.number)

    def _is_known(self, proposal: Proposal) -> bool:
        return self._storage.get_trial(self._trial_id(proposal)).state.is_finished()

    def _trial(self, proposal: Proposal) -> Trial:
        """The running trial as an object that can be written to, even if an earlier driver asked for it."""
        return Trial(self._rung(proposal.study), self._trial_id(proposal))

    def _contains(self, key: str, value: float) -> bool:
        return key in self._space and contains(self._space[key], value)

    def _moment(self, key: str, dimensions: int) -> Moment:
        trials = self._rung(key).get_trials(deepcopy=False)
        completed = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        return Moment(
            seed=self._seed_of(key),
            draw_seed=self._seed_of(key, len(trials)),
            completed=len(completed),
            trained=sum(trained(trial) for trial in completed),
            asked=len(trials),
            dimensions=dimensions,
            expected_trials=self._expected_trials,
        )

    def _seed_of(self, key: str, *path: int) -> int:
        entropy = [self._seed, zlib.crc32(key.encode()), *path]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _annotate(trial: Trial, notes: Mapping[str, str]) -> None:
    for key, value in notes.items():
        trial.set_user_attr(key, value)


def _fail(trial: Trial, notes: Mapping[str, str]) -> None:
    _annotate(trial, notes)
    trial.study.tell(trial, state=TrialState.FAIL)


def _refuse_change(name: str, before: Mapping[str, object], now: Mapping[str, object]) -> None:
    """Refuse settings other than the study began with: Optuna would sample a changed range apart, without a word."""
    if before == now:
        return
    old, new = _flat(before), _flat(now)
    changed = [key for key in [*old, *(key for key in new if key not in old)] if old.get(key) != new.get(key)]
    raise UserError(
        [
            f"The search {name!r} began with {key} = {old.get(key, 'not searched')}, but got "
            f"{new.get(key, 'not searched')}. Keep the former value, or start a new search."
            for key in changed
        ]
    )


def _flat(setup: Mapping[str, object]) -> dict[str, object]:
    space = setup["space"]
    assert isinstance(space, Mapping)
    return {"direction": setup["direction"], **{f"space.{key}": dimension for key, dimension in space.items()}}
