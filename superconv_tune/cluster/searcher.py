"""A Searcher for Ray Tune that asks our conductor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.tune.search import Searcher

from superconv_tune.cluster.slots import Slots
from superconv_tune.cluster.worker import read_outcome
from superconv_tune.core.codec import encode
from superconv_tune.core.errors import UserError
from superconv_tune.record.conductor import Conductor, Signal

ENDED = "the worker process ended before the trial did"
FIRST_NAP_S, LONGEST_NAP_S = 0.1, 1.0  # how long an idle worker sleeps before it asks again, growing


class EndNow(BaseException):
    """Leaves ``Tuner.fit`` at once; if it has a cause, that is the reason.

    Not an Exception: Tune takes an exception of a searcher for a failure of one trial and continues, or wraps it, or
    first cleans up with a hard-coded wait of ten seconds per actor; disconnecting ends them all in one second.
    """


class ConductedSearcher(Searcher):
    """Passes Ray's questions on to the conductor, and Ray's results back as outcomes.

    A worker that has to wait runs a nap as its trial. Tune would end all idle actors but one, and would then not start
    a second one while trials are shorter than the start of an actor: each would reuse the one actor that is there.
    For the same reason a worker above the search's share is told to leave instead of left idle.
    """

    def __init__(self, conductor: Conductor, slots: Slots) -> None:
        super().__init__(metric="objective", mode="max")
        self._conductor = conductor
        self._slots = slots
        self._live: set[str] = set()  # Ray's ids of trials, naps and leaves that have not ended
        self._names: dict[str, str] = {}  # Ray's id to ours, for those that are trials
        self._held = 0  # number of worker processes, as far as known here
        self._nap_s = FIRST_NAP_S
        self._words: dict[str, str] = {}  # why the worker of a trial has ended, by Ray's id

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial as a config with one JSON text, a nap, a leave, FINISHED, or None if nothing is to run now."""
        with _user_errors_end_search():
            return self._suggested(trial_id)

    def _suggested(self, trial_id: str) -> dict[str, Any] | str | None:
        slots = self._slots.count(self._held)
        self._conductor.resized(slots)
        if len(self._live) < self._held > slots:
            config: dict[str, Any] | str | None = {"leave": True}
        elif len(self._live) >= slots:
            return None
        else:
            config = self._asked(trial_id)
        if isinstance(config, dict):
            self._live.add(trial_id)
            self._held = max(self._held, len(self._live))
        return config

    def _asked(self, trial_id: str) -> dict[str, Any] | str:
        answer = self._conductor.next()
        if answer is Signal.WAIT:
            self._nap_s = min(LONGEST_NAP_S, self._nap_s * 1.2)
            return {"nap_s": self._nap_s, "sent_at": time.time()}
        if answer is Signal.DONE:
            return str(Searcher.FINISHED)
        assert not isinstance(answer, Signal)
        self._names[trial_id] = answer.trial_id
        self._nap_s = FIRST_NAP_S
        return {"request": json.dumps(encode(answer)), "sent_at": time.time()}

    def explain(self, trial_id: str, words: str) -> None:
        """Take note why the worker of this trial has ended, before `on_trial_complete` says that it has."""
        self._words = {trial_id: words}

    def on_trial_complete(
        self,
        trial_id: str,
        result: dict[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002 - Ray's signature
    ) -> None:
        """Report the outcome of a trial that Ray has finished, or that it is lost."""
        self._live.discard(trial_id)
        self._held -= error  # its process is gone
        name = self._names.pop(trial_id, None)
        if name is None:
            return
        with _user_errors_end_search():
            if error or not result or "outcome" not in result:
                words = self._words.pop(trial_id, "")
                self._conductor.lost(name, f"the worker ended before the trial did: {words}" if words else ENDED)
            else:
                self._conductor.observe(read_outcome(result))

    def __getstate__(self) -> dict[str, Any]:
        """An empty state: Tune pickles its settings to a file that nobody reads."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a study is resumed from its journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a study is resumed from its journal."""


@contextmanager
def _user_errors_end_search() -> Iterator[None]:
    """Raise user errors as `EndNow`: Ray Tune logs any other error of a searcher and continues."""
    try:
        yield
    except UserError as error:
        raise EndNow from error
