"""Nothing beyond this machine without a token, and nothing of a local search beyond this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from superconv_tune.cluster.access import has_token, refuse_open, use_token
from superconv_tune.cluster.jobs import Jobs
from superconv_tune.core.errors import UserError

# Prints the address of every socket that a process of this search listens on.
SCRIPT = """
import ipaddress, os, pathlib, struct
import ray
from superconv_tune.cluster.connection import cluster
from superconv_tune.cluster.surroundings import surroundings

MARK = os.environ["MARK"].encode()

def bytes_of(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""

def links_of(folder):
    try:
        return [os.readlink(file) for file in folder.iterdir()]
    except OSError:
        return []

def ours():
    folders = [p for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()]
    return [p for p in folders if p.name == str(os.getpid()) or MARK in bytes_of(p / "environ")]

def address(field):
    raw = bytes.fromhex(field.partition(":")[0])
    words = struct.unpack(f"<{len(raw) // 4}I", raw)
    return ipaddress.ip_address(struct.pack(f">{len(words)}I", *words))

@ray.remote
def answer():
    return 1

with surroundings(None), cluster(None):
    ray.get(answer.remote())
    sockets = {link for process in ours() for link in links_of(process / "fd") if link.startswith("socket:")}
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                print(address(fields[1]))
"""


@pytest.fixture(autouse=True)
def no_token_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


OPEN = [
    "http://10.1.2.3:8265",
    "https://head.example:8265",
    "head:6379",
    "ray://10.1.2.3:10001",
    "http://[fd00::1]:8265",
]


@pytest.mark.parametrize("address", OPEN)
def test_without_a_token_an_address_beyond_this_machine_is_refused_and_told_how_to_set_one(address: str) -> None:
    with pytest.raises(UserError, match="RAY_AUTH_TOKEN=") as refused:
        refuse_open(address)
    assert address in str(refused.value)
    assert "ray get-auth-token" in str(refused.value)


@pytest.mark.parametrize("address", ["http://me:se@cret@head:8265", "http://me:secret@"])
def test_a_password_in_an_address_is_not_repeated(address: str) -> None:
    with pytest.raises(UserError, match=r"me:\*\*\*@") as refused:
        refuse_open(address)
    assert "cret" not in str(refused.value)


def test_a_password_in_the_address_of_a_job_server_is_not_repeated() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match=r"http://me:\*\*\*@127") as away:
        Jobs(f"http://me:secret@127.0.0.1:{port}")
    assert "cret" not in str(away.value)


@pytest.mark.parametrize("address", OPEN)
def test_with_a_token_it_is_not(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x" * 40)
    use_token()
    refuse_open(address)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    with pytest.raises(UserError):
        refuse_open(address)
    (tmp_path / "token").write_text("x" * 40, encoding="utf-8")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    refuse_open(address)


def test_a_token_that_is_switched_off_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x" * 40)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    use_token()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    with pytest.raises(UserError):
        refuse_open("head:6379")


def test_an_empty_token_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_bytes(b"")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    assert not has_token()


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "localhost:6379", "http://[::1]:8265", "auto", "local"])
def test_this_machine_needs_none(address: str) -> None:
    refuse_open(address)


@pytest.mark.parametrize("address", ["", "http://", ":8265", "http://[::1"])
def test_an_address_without_a_host_is_told(address: str) -> None:
    with pytest.raises(UserError, match="has no host"):
        refuse_open(address)


@pytest.mark.ray
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's list of sockets")
def test_the_local_ray_of_a_search_listens_on_the_loopback_alone(tmp_path: Path) -> None:
    mark = f"test-{os.urandom(8).hex()}"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"MARK": mark, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    addresses = [ipaddress.ip_address(line) for line in done.stdout.split()]
    assert len(addresses) > 3  # the control store, the node's agent, its raylet: Ray was there
    assert not [address for address in addresses if not _is_loopback(address)]


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(inner.is_loopback)
