"""A PostgreSQL server for tests: starts it, creates databases, and stops it without leaving anything behind."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

from benchmarks.servers.nodes import descendants, free_port

OWNER = "owner"
SIGNS = "/@:%+=&?#"  # in every password, since half of those that people draw at random have some of them
ACCOUNT = "postgres"  # a server refuses to run as root; Debian's package brings this account


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        port: port on the loopback.
        password: password of its one user, random for every server, with every sign that means something in an address.
        folder: folder of its data.
        numbers: counter for the names of databases.
    """

    port: int
    password: str
    folder: Path
    numbers: Iterator[int]

    @property
    def encoded(self) -> str:
        """The password as it stands in an address."""
        return quote(self.password, safe="")

    def database(self) -> str:
        """The URL, with the password, of a new and empty database."""
        name = f"d{next(self.numbers)}"
        import psycopg  # noqa: PLC0415 - an extra

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def dump(self, url: str) -> str:
        """Every row of every table as text, to search for what must not be in it."""
        import psycopg  # noqa: PLC0415 - an extra

        with psycopg.connect(url) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            rows = [connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables]
        return repr(rows)

    def stop(self) -> None:
        """Kill the server, as a crash would."""
        _control(self.folder, "stop", "-m", "immediate")

    def kill(self) -> None:
        """SIGKILL to its first process; the others notice and end."""
        pid = (self.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0]
        os.kill(int(pid), signal.SIGKILL)

    def freeze(self) -> None:
        """Pause all its processes: connections and statements are accepted, but never answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        first = int((self.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        for pid in (first, *descendants(first)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def start(self) -> None:
        """Start it again, on the same port and data."""
        _control(self.folder, "start", "-w", "-l", str(self.folder / "log"))

    def _url(self, name: str) -> str:
        return f"postgresql://{OWNER}:{self.encoded}@127.0.0.1:{self.port}/{name}"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian keeps them off the path."""
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if found is None else [Path(found).resolve()]
    return places[-1].parent if places else None


@contextmanager
def server() -> Iterator[Server]:
    """A fresh server on a free port, with password authentication, in a folder that its account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="superconv_tune_pg_"))
    try:
        password, port = f"{secrets.token_hex(12)}{SIGNS}", free_port()
        file = folder / "password"
        file.write_text(password, encoding="utf-8")
        if os.getuid() == 0:
            shutil.chown(folder, ACCOUNT)
            shutil.chown(file, ACCOUNT)
        data = folder / "data"
        _run("initdb", "-D", str(data), "-U", OWNER, "--pwfile", str(file), "--auth=scram-sha-256", "--no-sync")
        settings = f"port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n"
        with (data / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write(settings)
        running = Server(port, password, data, count())
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def _control(data: Path, *arguments: str) -> None:
    _run("pg_ctl", "-D", str(data), *arguments)


def _run(program: str, *arguments: str) -> None:
    folder = programs()
    assert folder is not None
    account = ACCOUNT if os.getuid() == 0 else None
    done = subprocess.run(
        [str(folder / program), *arguments],
        user=account,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would stay open in the server that pg_ctl leaves behind
        stderr=subprocess.DEVNULL,
        cwd="/",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{program} ended with {done.returncode}"
