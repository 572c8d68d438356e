"""The faults: each is caused in the middle of a real search, which then runs to its end."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.faults.facts import Facts, examine
from benchmarks.searching import TIGHT, Search
from benchmarks.servers import nodes, postgresql
from benchmarks.servers.nodes import ROOT
from benchmarks.servers.tracking_server import TrackingServer, tracking_server
from superconv_tune.core.codec import encode
from superconv_tune.core.hyperparameters import Hyperparameters

FEW = 3  # trials that have come back when a fault strikes
ONE = 1  # where another driver needs time for its own preflight
AWAY_S = 60.0
RESTART_S = 5.0
DISK_BYTES = 300 * 2**20
FULL_S = 30.0
LONG_RUN, EPOCHS = "train", 60
RECIPE = {
    "recipe_version": 1,
    "data": {"format": "digits"},
    "model": {"name": "mlp"},
    "schedule": "one_cycle",
    "precision": "fp32",
    "seed": 0,
    "params": {**encode(Hyperparameters(batch_size=16)), "max_lr": 0.1},
}


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        words: what is struck, for the table.
        strike: runs a search in an empty folder, strikes, and looks at the end.
    """

    words: str
    strike: Callable[[Path], Facts]


def worker(folder: Path) -> Facts:
    """A worker process dies in a trial."""
    search = Search(folder, spec=TIGHT)
    search.begin()
    search.until_trained(FEW)
    before = search.kill_a_trial()
    return examine(search, before, search.end())


def node(folder: Path) -> Facts:
    """One of two nodes dies with the worker on it."""
    with nodes.cluster(folder) as cluster:
        search = Search(folder, ("--address", cluster.gcs), cluster.environment, spec=TIGHT)
        before = search.until_underway(FEW)
        cluster.kill_node(1)
        return examine(search, before, search.end())


def driver(folder: Path) -> Facts:
    """The driver dies, and with it the Ray cluster that it started."""
    search = Search(folder, spec=TIGHT)
    search.until_underway(ONE)
    search.kill()
    before = search.events()
    search.resume()
    return examine(search, before, search.end())


def driver_on_cluster(folder: Path) -> Facts:
    """The driver dies, but its cluster lives on; when resumed it takes back its trials there."""
    with nodes.cluster(folder) as cluster:
        search = Search(folder, ("--address", cluster.gcs), cluster.environment, spec=TIGHT)
        search.until_underway(ONE)
        search.kill()
        before = search.events()
        search.resume()
        return examine(search, before, search.end())


def tracking_dies(folder: Path) -> Facts:
    """The MLflow server dies and is started again at once, as by a service manager."""
    with tracking_server(folder) as server:
        search = Search(folder, tracking_uri=server.uri, spec=TIGHT)
        before = search.until_underway(FEW)
        server.kill()
        server.start()
        return examine(search, before, search.end())


def tracking_is_away(folder: Path) -> Facts:
    """The MLflow server accepts connections, but answers none of them for a minute."""
    with tracking_server(folder) as server:
        search = Search(folder, tracking_uri=server.uri, spec=TIGHT)
        before = search.until_underway(FEW)
        server.freeze()
        time.sleep(AWAY_S)
        server.thaw()
        return examine(search, before, search.end())


def tracking_stays_away(folder: Path) -> Facts:
    """The MLflow server dies and comes back after the end of the search; ``report`` sends what it missed."""
    with tracking_server(folder) as server:
        search = Search(folder, tracking_uri=server.uri, spec=TIGHT)
        before = search.until_underway(FEW)
        server.kill()
        code = search.end()
        server.start()
        search.report()
        return examine(search, before, code or search.end())


def database_dies(folder: Path) -> Facts:
    """PostgreSQL dies, and with it the journal, Optuna's study and what the MLflow server keeps."""
    with postgresql.server() as database, tracking_server(folder, database.database()) as server:
        search = Search(folder, storage=database.database(), tracking_uri=server.uri, spec=TIGHT)
        before = search.until_underway(FEW)
        database.kill()
        time.sleep(RESTART_S)
        database.start()
        return examine(search, before, search.end())


def disk_fills(folder: Path) -> Facts:
    """The disk with the output folder is full for a while: journal, Optuna, MLflow, spill and log at once."""
    with small_disk(folder / "runs") as place:
        search = Search(folder, spec=TIGHT)
        before = search.until_underway(FEW)
        filler = filled(place)
        time.sleep(FULL_S)
        filler.unlink()
        return examine(search, before, search.end())


def disk_stays_full(folder: Path) -> Facts:
    """The disk is full until the search gives up with a message; it is resumed once there is space."""
    with small_disk(folder / "runs") as place:
        search = Search(folder)
        before = search.until_underway(FEW)
        filler = filled(place)
        code = search.end()
        filler.unlink()
        if (code, "--resume" in search.said(), "Traceback" in search.said()) != (2, True, False):
            raise AssertionError(f"the search did not say what to do: {code}, {search.said()}")
        search.resume()
        return examine(search, before, search.end())


def two_drivers(folder: Path) -> Facts:
    """``--resume`` while the first driver lives, as after a dropped connection or a requeue."""
    first, second = (Search(folder, spec=TIGHT) for _ in range(2))
    before = first.until_underway(ONE)
    second.resume()
    code = first.end()
    if code != 130 or "this driver stops" not in first.said():
        raise AssertionError(f"the first driver did not stop politely: {code}, {first.said()}")
    return examine(second, before, second.end())


def frozen_driver(folder: Path) -> Facts:
    """The driver stands still, is resumed elsewhere, and wakes up after that one has ended."""
    first, second = (Search(folder, spec=TIGHT) for _ in range(2))
    before = first.until_underway(ONE)
    first.signal(signal.SIGSTOP)
    second.resume()
    code = second.end()
    first.signal(signal.SIGCONT)
    first.end()
    return examine(second, before, code)


def database_hangs(folder: Path) -> Facts:
    """PostgreSQL accepts every statement and answers none until the search has ended; ``report`` brings in the rest."""
    with postgresql.server() as database:
        return _without_answers(Search(folder, storage=database.database(), spec=TIGHT), database)


def file_is_locked(folder: Path) -> Facts:
    """Somebody locks the sqlite file of the journal until the search has ended; ``report`` brings in the rest."""
    search = Search(folder, spec=TIGHT)
    before = search.until_underway(FEW)
    with closing(sqlite3.connect(folder / "runs" / "studies.db", timeout=60.0)) as other:
        other.execute("BEGIN IMMEDIATE")
        code = search.end()
        other.rollback()
    search.report()
    return examine(search, before, code or search.end())


def tracking_hangs(folder: Path) -> Facts:
    """The MLflow server accepts connections and answers none until the search has ended; ``report`` sends the rest."""
    with tracking_server(folder) as server:
        return _without_answers(Search(folder, tracking_uri=server.uri, spec=TIGHT), server)


def _without_answers(search: Search, server: postgresql.Server | TrackingServer) -> Facts:
    """The server is frozen in the middle of the search, and thawed once that has ended."""
    before = search.until_underway(FEW)
    server.freeze()
    code = search.end()
    server.thaw()
    search.report()
    return examine(search, before, code or search.end())


def part_of_ray(name: str) -> Callable[[Path], Facts]:
    """A part of the local Ray dies: the search reports, or says how to go on and goes on."""

    def strike(folder: Path) -> Facts:
        search = Search(folder, spec=TIGHT)
        before = search.until_underway(ONE)
        code = search.kill_part(name)
        if code == 0:
            return examine(search, before, code)
        if "--resume" not in search.said():
            raise AssertionError(f"the search did not say how to go on: {code}, {search.said()}")
        return examine(search, before, search.go_on())

    return strike


def told_to_end(number: signal.Signals) -> Callable[[Path], Facts]:
    """A signal in the middle of the search: it reports what it found."""

    def strike(folder: Path) -> Facts:
        search = Search(folder, spec=TIGHT)
        before = search.until_underway(ONE)
        search.signal(number)
        code = search.end()
        return examine(search, before, 0 if code == 130 else code)

    return strike


def told_to_end_in_the_report(folder: Path) -> Facts:
    """SIGTERM once the search has ended and the report is being written."""
    search = Search(folder, spec=TIGHT)
    before = search.until_underway(ONE)
    search.until_closed()
    search.signal(signal.SIGTERM)
    return examine(search, before, search.end())


FAULTS: Mapping[str, Fault] = {
    "worker": Fault("SIGKILL of a worker process in a trial", worker),
    "node": Fault("SIGKILL of the raylet of one of two nodes", node),
    "driver": Fault("SIGKILL of the driver", driver),
    "driver-on-cluster": Fault("SIGKILL of the driver; the cluster goes on", driver_on_cluster),
    "mlflow": Fault("SIGKILL of the MLflow server (HTTP), started again", tracking_dies),
    "mlflow-away": Fault(f"MLflow does not answer for {AWAY_S:g} s (SIGSTOP)", tracking_is_away),
    "mlflow-gone": Fault("SIGKILL of the MLflow server, back after the search; `report`", tracking_stays_away),
    "postgresql": Fault(f"SIGKILL of PostgreSQL (journal, Optuna, MLflow), back after {RESTART_S:g} s", database_dies),
    "disk": Fault(f"the disk of the output folder (a tmpfs) is full for {FULL_S:g} s", disk_fills),
    "disk-full": Fault("the disk of the output folder stays full until the search has ended", disk_stays_full),
    "two-drivers": Fault("`--resume` while the first driver lives", two_drivers),
    "frozen-driver": Fault("the driver stands still (SIGSTOP) while another one resumes and ends", frozen_driver),
    "postgresql-hangs": Fault("PostgreSQL does not answer until after the search (SIGSTOP); `report`", database_hangs),
    "sqlite-locked": Fault("the journal's sqlite file is locked until after the search; `report`", file_is_locked),
    "mlflow-hangs": Fault("MLflow does not answer until after the search (SIGSTOP); `report`", tracking_hangs),
    "gcs": Fault("SIGKILL of the head of the local Ray", part_of_ray("gcs_server")),
    "raylet": Fault("SIGKILL of the raylet of the local Ray", part_of_ray("raylet")),
    "term": Fault("SIGTERM in the search", told_to_end(signal.SIGTERM)),
    "hup": Fault("SIGHUP in the search", told_to_end(signal.SIGHUP)),
    "term-report": Fault("SIGTERM in the report", told_to_end_in_the_report),
}


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of its own at this folder; needs the right to mount."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def filled(place: Path) -> Path:
    """A file that takes all free space there."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return filler


@dataclass(frozen=True)
class Continued:
    """A long run that was killed and started again, compared with one that was not.

    Attributes:
        killed_after: epochs that it had done.
        epochs: of the whole run.
        first: epoch that the second process began with.
        different: steps whose loss differs from the undisturbed run's.
        test: accuracy of both.
    """

    killed_after: int
    epochs: int
    first: int
    different: int
    test: tuple[float, float]


def long_run(folder: Path, epochs: int = EPOCHS, kill_after: int = EPOCHS // 2) -> Continued:
    """SIGKILL of ``train`` between two of its epochs; the same command then continues from the last complete one."""
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    killed, done = training(folder, "killed", epochs), 0
    assert killed.stdout is not None
    for line in killed.stdout:
        done = int(line.split()[1]) if line.startswith("epoch") else done
        if done >= kill_after:
            break
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    out, _ = training(folder, "killed", epochs).communicate(timeout=120)
    training(folder, "whole", epochs).communicate(timeout=120)
    first = next(line for line in out.splitlines() if line.startswith("epoch"))
    results = [json.loads((folder / name / "result.json").read_text(encoding="utf-8")) for name in ("killed", "whole")]
    pairs = zip(results[0]["losses"], results[1]["losses"], strict=True)
    return Continued(
        killed_after=done,
        epochs=epochs,
        first=int(first.split()[1]),
        different=sum(a != b for a, b in pairs),
        test=(results[0]["test"], results[1]["test"]),
    )


def training(folder: Path, output: str, epochs: int) -> subprocess.Popen[str]:
    """``train`` in a process of its own, its lines in a pipe."""
    command = ["-m", "superconv_tune.train", "recipe.yaml", "--epochs", str(epochs), "--output", output]
    return subprocess.Popen(
        [sys.executable, "-u", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
