"""The connection to Ray, from connecting or starting a local one to shutting it down."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private import ray_constants

from superconv_tune.cluster.access import refuse_open
from superconv_tune.cluster.slots import join
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked

QUIET = {"ray": logging.WARNING, "ray.tune": logging.ERROR}  # least level of what Ray logs
# Ray reads these once, when it is imported or started.
SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files beside ours
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours: the conductor ends the search and the report is written
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's own snapshots are never read: the journal is the record
    "RAY_AIR_NEW_OUTPUT": "0",  # the live view is ours
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",  # Tune's actors have their own environment and would use none of these
}

# A head on this machine that does not answer for so long is dead; Ray would wait a minute, and then end this process.
LOCAL = {"gcs_rpc_server_reconnect_timeout_s": 5}


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Connect to the cluster at ``address``, or start a local one; disconnect or stop it when the block ends.

    Raises:
        UserError: if the address does not answer, or is reachable from other machines and no token is set.
    """
    with ray_on_the_root_log():
        yield from _connected(address)


def _connected(address: str | None) -> Iterator[None]:
    refuse_open(address)
    # Ray binds the services of a node to all interfaces unless this constant (meant for desktop firewalls) says that
    # there are no other nodes; then all of them listen on the loopback only.
    ray_constants.ENABLE_RAY_CLUSTER = address is not None
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    try:
        with _deaf_to_hangups():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False if address is None else None,
                configure_logging=False,
                _system_config=LOCAL if address is None else None,
            )
    except ConnectionError as error:
        raise UserError(
            f"--address: no Ray cluster answers at {masked(address or '')!r} ({masked(str(error))}). "
            f"Start one, or leave --address out."
        ) from error
    try:
        if address is not None:
            refuse_open(ray.get_runtime_context().gcs_address)  # where "auto" led
        join()
        yield
    finally:
        ray.shutdown()


@contextmanager
def _deaf_to_hangups() -> Iterator[None]:
    """Let processes that are started inside outlive a terminal that is closed, because the report still needs them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ray_on_the_root_log() -> Iterator[None]:
    """Pass Ray's warnings, and nothing less, to the root logger; Ray gives its logger a console when it is imported."""
    loggers = {name: logging.getLogger(name) for name in QUIET}
    before = {name: (logger.handlers, logger.propagate, logger.level) for name, logger in loggers.items()}
    for name, logger in loggers.items():
        logger.handlers, logger.propagate = [], True
        logger.setLevel(QUIET[name])
    try:
        yield
    finally:
        for name, logger in loggers.items():
            logger.handlers, logger.propagate, level = before[name]
            logger.setLevel(level)
