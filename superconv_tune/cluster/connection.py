"""The connection to Ray, from connecting or starting a local one to shutting it down."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.authentication.authentication_token_setup import (
    AuthenticationMode,
    AuthenticationTokenLoader,
    Config,
    get_authentication_mode,
)
from ray._private.services import find_node_ids

from superconv_tune.cluster.slots import join
from superconv_tune.cluster.surroundings import SESSION
from superconv_tune.core.errors import UserError
from superconv_tune.core.secrets import masked
from superconv_tune.data.limits import memory_limit, usable_cpus
from superconv_tune.data.scratch import WITHIN

QUIET = {"ray": logging.WARNING, "ray.tune": logging.ERROR}  # least level of what Ray logs
STORE_SHARE = 0.3  # of the memory, for the object store: Ray's own default, of which it knows fewer limits than we do

logger = logging.getLogger(__name__)

# A head on this machine that does not answer for so long is dead; Ray would wait a minute, and then end this process.
LOCAL = {"gcs_rpc_server_reconnect_timeout_s": 5}


@contextmanager
def cluster(place: str | None) -> Iterator[None]:
    """Connect to a cluster, or start a local one; disconnect or stop it when the block ends.

    Args:
        place: from `superconv_tune.cluster.reachable.found`, inside of whose `surroundings` this block has to be.

    Raises:
        UserError: if it cannot be joined or started.
    """
    with ray_on_the_root_log():
        _start(place)
        try:
            join()
            yield
        finally:
            ray.shutdown()


def _start(place: str | None) -> None:
    # Ray binds the services of a node to all interfaces unless this constant (meant for desktop firewalls) says that
    # there are no other nodes; then all of them listen on the loopback only.
    ray_constants.ENABLE_RAY_CLUSTER = place is not None
    if place is not None and not find_node_ids():  # Ray would look for a node here for a minute
        raise _outside(place, "no node of a cluster runs here")
    if place is None:
        _use_own_token()
    try:
        with _deaf_to_hangups():
            ray.init(
                log_to_driver=False, logging_level=logging.ERROR, configure_logging=False,
                **(_local() if place is None else {"address": place}),
            )  # fmt: skip
    except Exception as error:
        logger.exception("Ray did not start.")
        words = " ".join(masked(f"{type(error).__name__}: {error}").split())
        if place is not None:
            raise _outside(place, words) from error
        raise UserError(
            f"Ray cannot be started on this machine ({words}). Look at its free memory, disk and processes; --debug "
            f"searches without Ray."
        ) from error


def _outside(place: str, why: str) -> UserError:
    return UserError(
        f"--address: {masked(place)!r} cannot be joined ({why}). This machine has to be a node of the cluster; from "
        f"any other one, use superconv_tune.submit."
    )


def _use_own_token() -> None:
    """Make Ray read mode and token again, which it keeps from its import on.

    Raises:
        RuntimeError: if it does not: without a token, other users of the machine could run code in this search.
    """
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
    if get_authentication_mode() != AuthenticationMode.TOKEN:
        raise RuntimeError("Ray would start without a token.")


def _local() -> dict[str, Any]:
    """What a local Ray may use: cores, memory and a folder of its own."""
    memory = memory_limit()
    store = {} if memory is None else {"object_store_memory": int(STORE_SHARE * memory)}
    folder = str(Path(os.environ[WITHIN], SESSION))
    return {
        "address": "local", "num_cpus": usable_cpus(), "include_dashboard": False,
        "_temp_dir": folder, "_system_config": LOCAL, **store,
    }  # fmt: skip


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
