"""The job server of a Ray cluster: submit, list, follow and stop searches, and fetch their files."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from superconv_tune.cluster.access import refuse_open
from superconv_tune.cluster.job_entry import unpack
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked
from superconv_tune.spec.name import refuse_name

STUDY = "superconv_tune_study"  # metadata of our jobs: which study
ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)
STOP_S = 60  # from SIGTERM to SIGKILL: the search writes its report in between; Ray's default is 3
LOOK_EVERY_S = 1.0
UNREACHABLE_S = 120.0  # `follow` gives up a head that does not answer for this long
FETCH_S = 120.0
CHATTY = ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging")
INTERRUPTED, FAILED = 130, 1  # exit codes, as of search


@dataclass(frozen=True)
class Job:
    """A search on the cluster.

    Attributes:
        study: name of the study.
        id: id of Ray's job; a study that was resumed has several.
        status: Ray's status of the job.
        started_at: Unix time on the head's clock.
        exit_code: exit code of `search`; None while it runs.
        message: Ray's message if the job could not be started.
    """

    study: str
    id: str
    status: str
    started_at: float
    exit_code: int | None
    message: str


class Jobs:
    """The searches of one cluster.

    Args:
        address: ``http://host:8265``.

    Raises:
        UserError: if it is reachable from other machines and no token is set, does not answer, or refuses the token.
    """

    def __init__(self, address: str) -> None:
        refuse_open(address)
        for logger in CHATTY:
            logging.getLogger(logger).setLevel(logging.WARNING)
        self._address = address if "://" in address else f"http://{address}"
        self._shown = masked(self._address)
        with self._explained():
            self._client = JobSubmissionClient(self._address)

    def submit(self, study: str, bundle: Path, options: Mapping[str, str | bool]) -> str:
        """Start or resume (option ``--resume``) a search in a bundle; returns the id of its job.

        Raises:
            UserError: if the study exists.
        """
        refuse_name(study)
        job_id = study if "--resume" not in options else f"{study}-resumed-{int(time.time())}"
        flags = [option if value is True else f"{option}={value}" for option, value in options.items()]
        command = ["python", "-m", "superconv_tune.cluster.job_entry", "begin", study, *flags]
        with self._explained(f"--name: the cluster already has a search {study!r}. Choose another name."):
            self._client.submit_job(
                entrypoint=shlex.join(command),
                submission_id=job_id,
                runtime_env={"working_dir": str(bundle), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S)}},
                metadata={STUDY: study},
            )
        return job_id

    def all(self) -> list[Job]:
        """All searches, newest first."""
        with self._explained():
            found = self._client.list_jobs()
        jobs = [_job(details) for details in found if STUDY in (details.metadata or {})]
        return sorted(jobs, key=lambda job: job.started_at, reverse=True)

    def latest(self, study: str) -> Job:
        """The last job of a study.

        Raises:
            UserError: if there is none.
        """
        jobs = self.all()
        own = [job for job in jobs if job.study == study]
        if not own:
            known = ", ".join(dict.fromkeys(job.study for job in jobs)) or "none"
            raise UserError(f"{self._shown} knows no search {study!r}. Known, newest first: {known}.")
        return own[0]

    def logs(self, job_id: str) -> str:
        """What a job has printed so far."""
        with self._explained():
            return str(self._client.get_job_logs(job_id))

    def stop(self, study: str) -> bool:
        """Ask a search to end and to write its report, as Ctrl-C does; False if it is no longer running."""
        job = self.latest(study)
        with self._explained():
            return bool(self._client.stop_job(job.id))

    def follow(self, study: str, write: Callable[[str], object]) -> Job:
        """Pass on what a search prints until it has ended; the head may be unreachable for a while in between.

        The log is read again each time instead of kept open, which survives a laptop's sleep and a head's restart.

        Raises:
            UserError: if the head stays unreachable; the search itself continues.
        """
        shown = 0
        seen_at = time.monotonic()
        while True:
            try:
                job = self.latest(study)  # before the log, so that the log of an ended job is whole
                text = self.logs(job.id)
            except _UnreachableError as error:
                if time.monotonic() - seen_at > UNREACHABLE_S:
                    raise UserError(
                        f"{error.messages[0]} The search continues; look again with --logs {study}."
                    ) from error
                time.sleep(LOOK_EVERY_S)
                continue
            seen_at = time.monotonic()
            if text[shown:]:
                write(text[shown:])
                shown = len(text)
            if job.exit_code is not None:
                return job
            time.sleep(LOOK_EVERY_S)

    def fetch(self, study: str, folder: Path) -> list[Path]:
        """Fetch the files of a study into ``folder``, through a small job that prints them; returns their paths.

        Raises:
            UserError: if they cannot be fetched.
        """
        refuse_name(study)
        command = ["python", "-m", "superconv_tune.cluster.job_entry", "send", study]
        with self._explained():
            parcel = self._client.submit_job(entrypoint=shlex.join(command))
            end = time.monotonic() + FETCH_S
            while (status := self._client.get_job_status(parcel)) not in ENDED and time.monotonic() < end:
                time.sleep(LOOK_EVERY_S / 4)
            lines = self._client.get_job_logs(parcel).splitlines()
            if status in ENDED:
                self._client.delete_job(parcel)
        if status != JobStatus.SUCCEEDED:
            last_line = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
            raise UserError(f"The files of {study!r} could not be read on the cluster ({status}: {last_line}).")
        try:
            return unpack(lines, folder)
        except (ValueError, KeyError) as error:
            raise UserError(f"The files of {study!r} arrived damaged: {error}. Try --fetch {study} again.") from error

    @contextmanager
    def _explained(self, taken: str = "") -> Iterator[None]:
        """Turn errors of Ray's client into messages for the user; ``taken`` is the message if the name is taken."""
        try:
            yield
        except AuthenticationError as error:
            raise UserError(
                f"{self._shown} refuses the token, or needs one: set RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH, a "
                f"file) to that of the cluster, and RAY_AUTH_MODE to token."
            ) from error
        except OSError as error:  # requests' errors are OSErrors too
            raise _UnreachableError(
                f"--address: no job server answers at {self._shown} ({type(error).__name__}). It is the address of "
                f"Ray's dashboard on the head, such as http://head:8265, or a tunnel to it."
            ) from error
        except RuntimeError as error:
            if taken and "already" in str(error):
                raise UserError(taken) from error
            raise UserError(f"{self._shown} answered: {masked(str(error)).strip()[-500:]}") from error


class _UnreachableError(UserError):
    """The head does not answer now; it may answer later."""


def _job(details: Any) -> Job:
    codes = {JobStatus.SUCCEEDED: 0, JobStatus.FAILED: FAILED, JobStatus.STOPPED: INTERRUPTED}
    known = details.driver_exit_code
    return Job(
        study=details.metadata[STUDY],
        id=details.submission_id,
        status=str(details.status.value),
        started_at=(details.start_time or 0) / 1000,
        exit_code=codes.get(details.status) if known is None else known,
        message=details.message or "",
    )
