"""The child run of each attempt in MLflow, written by the worker in the background while it trains."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from superconv_tune.core.background import OneByOne
from superconv_tune.core.curve import Curve
from superconv_tune.core.lazy import LazyFunction
from superconv_tune.core.secrets import masked
from superconv_tune.record.trial import TrialOutcome, TrialRequest
from superconv_tune.tracking.attempt import RECORD, Attempt, save
from superconv_tune.tracking.handle import StudyHandle
from superconv_tune.tracking.series import SERIES, Phase, Point, curve_points, follow, live_rows, result_points, shown

logger = logging.getLogger(__name__)

# MLflow takes more than a second to import; its thread does so while the first trial trains.
connect = LazyFunction("superconv_tune.tracking.client:connect")
create_run, deliver, describe, send = (
    LazyFunction(f"superconv_tune.tracking.delivery:{name}") for name in ("create_run", "deliver", "describe", "send")
)

START_TIMEOUT_S = 10.0
# After it a call counts as not answered; the first one imports MLflow, and the first figure its library.
CALL_S = 10.0
LOOK_S = 0.1
SEND_EVERY_S = 1.0
RECOVERY_S = 20.0  # after this time sending of no further attempt begins
MAX_PENDING = 1000  # points: one request's worth
MOST_UNSAVED = 50  # trials that are kept in memory while the disk is full

_Ended = tuple[Path, Attempt, Mapping[Phase, Curve]]  # what `save` takes


class MlflowTracker:
    """Records one trial after the other; no call raises, whatever happens to MLflow or to the disk.

    The curve is kept in memory. One background thread sends a sparse part of it while the trial runs; `finish` saves
    the whole curve on disk, and the thread draws its figures, sends everything and removes the files again. What MLflow
    does not accept in time stays on disk and is sent at the end of the next trial, by `flush` or by `recover`; what
    cannot be written to disk stays in memory until it can.

    Once MLflow has left a call unanswered, no trial waits for it or tells it anything while it runs, until it has
    accepted a whole trial: the end of each is an occasion to try, in the background.

    Args:
        handle: the study's parent run.
        spill_dir: folder on this machine for attempts that MLflow has not accepted yet.
        finish_timeout_s: how long `finish` waits for MLflow, in seconds; with 0 call `flush` at the end.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        handle: StudyHandle,
        spill_dir: Path,
        *,
        finish_timeout_s: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._handle = handle
        self._folder = spill_dir / handle.run_id
        self._finish_timeout_s = finish_timeout_s
        self._clock = clock
        self._recording: _Recording | None = None
        self._unsaved: list[_Ended] = []
        self._unsent: list[Path] = []
        # All calls to MLflow are made on this one thread, so that nothing is sent twice at once.
        self._thread = OneByOne("mlflow")
        self._is_silent = False  # it left a call unanswered, and has accepted no trial since
        self._creating: Future[None] | None = None
        self._stream: Future[None] | None = None
        self._catching_up: Future[None] | None = None
        self._stream_at = 0.0
        self._stream_pause_s = SEND_EVERY_S

    @cached_property
    def _client(self) -> Any:
        return connect(self._handle.tracking_uri)

    def start(self, request: TrialRequest) -> None:
        """Begin to create the run of this attempt."""
        recording = self._recording = _Recording(request, self._clock, self._handle.subject.metric)
        self._stream_at = self._clock() + SEND_EVERY_S
        self._creating = None
        if not self._is_silent:
            self._creating = self._thread.submit(partial(self._create, recording))
            self._thread.submit(partial(self._describe, recording))

    def run_id(self) -> str | None:
        """Id of the attempt's run; None if MLflow does not answer in time."""
        if self._recording is None or self._creating is None:
            return None
        self._wait_for(self._creating, START_TIMEOUT_S)
        return self._recording.run_id

    def record(self, phase: Phase, block: Curve) -> None:
        """Take the next steps of the curve; returns at once."""
        recording = self._recording
        if recording is None or len(block) == 0:
            return
        recording.add(phase, block)
        is_free = self._stream is None or self._stream.done()
        if is_free and not self._is_silent and self._clock() >= self._stream_at:
            self._stream = self._thread.submit(partial(self._send_pending, recording))

    def finish(self, outcome: TrialOutcome) -> None:
        """Save what was recorded, begin to send it, and wait a bounded time for MLflow to receive it."""
        recording, self._recording = self._recording, None
        if recording is None:
            return
        folder = self._folder / f"{quote(outcome.trial_id, safe='')}-{outcome.attempt}"
        self._unsaved.append((folder, recording.ended(outcome), recording.curves()))
        self._save()
        self.flush(self._finish_timeout_s)
        if self._unsaved:
            logger.warning("%d trials cannot be written to %s; kept in memory.", len(self._unsaved), self._folder)

    def flush(self, timeout_s: float) -> None:
        """Begin to send what MLflow has not received, and wait a bounded time until it has."""
        sending = self._thread.submit(self._deliver)
        if timeout_s <= 0.0 or self._is_silent:
            return
        self._wait_for(sending, timeout_s)
        if self._unsent:
            logger.warning("MLflow has not received %d trials; they are kept in %s.", len(self._unsent), self._folder)

    def catch_up(self) -> None:
        """Between two trials: save what could not be written before, and begin to send what MLflow did not accept."""
        self._save()
        if self._unsent and (self._catching_up is None or self._catching_up.done()):
            self._catching_up = self._thread.submit(self._deliver)

    def _wait_for(self, done: Future[None], timeout_s: float) -> None:
        """Wait until this is done, but no longer once a call is left unanswered."""
        end = time.monotonic() + timeout_s
        while not done.done() and not self._is_silent and time.monotonic() < end:
            self._is_silent = self._thread.call_s > CALL_S
            wait([done], LOOK_S)

    def _save(self) -> None:
        waiting, self._unsaved = self._unsaved[-MOST_UNSAVED:], []
        for ended in waiting:
            with _logged("saving a trial"):
                save(*ended)
                self._unsent.insert(0, ended[0])
                continue
            self._unsaved.append(ended)

    def _create(self, recording: _Recording) -> None:
        with _logged("creating a run"):
            recording.run_id = create_run(self._client, self._handle, recording.request)

    def _describe(self, recording: _Recording) -> None:
        if recording.run_id is not None:
            with _logged("describing a run"):
                describe(self._client, self._handle, recording.request, recording.run_id)

    def _send_pending(self, recording: _Recording) -> None:
        points = recording.take_pending()
        if recording.run_id is None or not points:
            return
        self._stream_pause_s *= 2
        with _logged("sending points"):
            send(self._client, recording.run_id, points, {"phase": points[-1].key.partition("/")[0]})
            recording.confirmed.update(points)
            self._stream_pause_s = SEND_EVERY_S
        self._stream_at = self._clock() + self._stream_pause_s

    def _deliver(self) -> None:
        for folder in tuple(self._unsent):
            with _logged("sending a trial"):
                deliver(self._client, self._handle, folder)
                self._is_silent = False
            self._unsent.remove(folder)
            if folder.exists():
                self._unsent.append(folder)  # behind the others
                return  # MLflow is probably unreachable, and sending the next one would only wait for it again


def recover(handle: StudyHandle, spill_dir: Path) -> int:
    """Send what trackers on this machine had to leave on disk; call it when none of them is running any more.

    Returns:
        The number of attempts still on disk, because MLflow did not accept them in time.
    """
    limit = time.monotonic() + RECOVERY_S
    for folder in unsent(handle, spill_dir):
        if time.monotonic() > limit:
            break  # every trial waits seconds for an unreachable server
        with _logged("sending a trial"):
            deliver(connect(handle.tracking_uri), handle, folder)
    return len(unsent(handle, spill_dir))


def unsent(handle: StudyHandle, spill_dir: Path) -> list[Path]:
    """Folders of attempts that trackers on this machine had to leave on disk."""
    return [record.parent for record in sorted((spill_dir / handle.run_id).glob(f"*/{RECORD}"))]


class _Recording:
    """What was recorded of the attempt that is running.

    Attributes:
        request: the trial.
        run_id: id of its run, once MLflow has created it.
        confirmed: points that MLflow has received.
    """

    def __init__(self, request: TrialRequest, clock: Callable[[], float], metric: str) -> None:
        self.request = request
        self.run_id: str | None = None
        self.confirmed: set[Point] = set()
        self._clock = clock
        self._metric = metric
        self._blocks: dict[Phase, list[Curve]] = {phase: [] for phase in SERIES}
        self._started_at: dict[Phase, float] = {}
        # Points that drop out of it, and those that were not confirmed, are sent at the end of the trial.
        self._pending: deque[Point] = deque(maxlen=MAX_PENDING)

    def add(self, phase: Phase, block: Curve) -> None:
        blocks = self._blocks[phase]
        if blocks:
            block = follow(block, blocks[-1].step[-1])
        started_at = self._started_at.setdefault(phase, self._clock() - block.elapsed_s[-1])
        blocks.append(block)
        self._pending.extend(curve_points(phase, block.take(live_rows(block.step)), started_at))

    def take_pending(self) -> list[Point]:
        return [self._pending.popleft() for _ in range(len(self._pending))]

    def curves(self) -> Mapping[Phase, Curve]:
        return {phase: Curve.join(blocks) for phase, blocks in self._blocks.items()}

    def ended(self, outcome: TrialOutcome) -> Attempt:
        points = result_points(outcome, self._clock(), self._metric)
        for phase, curve in self.curves().items():
            points += curve_points(phase, shown(curve), self._started_at.get(phase, 0.0))
        confirmed = self.confirmed.copy()  # the thread may be adding to it
        return Attempt(self.request, outcome, self.run_id, [point for point in points if point not in confirmed])


@contextmanager
def _logged(doing: str) -> Iterator[None]:
    """Log an error and continue."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- a recorder must not stop the training, whatever a library raises
        logger.warning("MLflow: %s failed, to be tried again: %s: %s", doing, type(error).__name__, masked(str(error)))
