"""Where ``--address`` leads, and that an address which leads nowhere is said so within seconds.

From the trackers: ray-project/ray issue 19294 and beacon-biosignals/Ray.jl issue 219 (no answer, and no end of
waiting), Jiayi-Pan/TinyZero issue 75 (nothing listens), ray-project/ray issue 35010 (the address of the job server).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from superconv_tune.cluster import reachable
from superconv_tune.cluster.reachable import HELLO, found, require_answer, resolved
from superconv_tune.core.errors import UserError

SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # the first frame of an HTTP/2 server


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server on the loopback that treats one client like this; yields its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def refusal(address: str) -> str:
    """The one message about this address, which has to come within seconds."""
    began = time.monotonic()
    with pytest.raises(UserError) as refused:
        require_answer(address)
    assert time.monotonic() - began < 2 * reachable.ANSWER_S
    (message,) = refused.value.messages
    assert message.startswith("--address: ")
    return message


def test_what_talks_as_ray_does_is_accepted() -> None:
    heard = []

    def answer(connection: socket.socket) -> None:
        heard.append(connection.recv(len(HELLO), socket.MSG_WAITALL))
        connection.sendall(SETTINGS)

    with listening(answer) as address:
        require_answer(address)
    assert heard == [HELLO]


def test_nothing_there() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    assert "refused" in refusal(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),  # the job server
        lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"),
        lambda connection: connection.sendall(b"\0\0"),
        lambda _: None,  # hangs up
    ],
)
def test_something_else_there(answer: Callable[[socket.socket], object]) -> None:
    with listening(answer) as address:
        message = refusal(address)
    assert "something else" in message or "reset" in message


def test_a_cluster_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachable, "ANSWER_S", 0.3)
    over = threading.Event()
    with listening(lambda _: over.wait(20)) as address:
        assert "no answer within" in refusal(address)
        over.set()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "superconv_tune.submit"),
        ("ray://127.0.0.1:10001", "host:port"),
        ("127.0.0.1", "has no port"),
        ("127.0.0.1:port", "has no port"),
        ("127.0.0.1:99999", "has no port"),
        ("no such host:6379", "no Ray cluster answers"),
        (f"{'x' * 70}.invalid:6379", "no Ray cluster answers"),
    ],
)
def test_an_address_of_another_kind(address: str, said: str) -> None:
    assert said in refusal(address)


def test_local_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://10.1.2.3:8265")
    assert (found(None), found("local")) == (None, None)


def test_auto_is_what_ray_address_says_and_is_checked_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert resolved("auto") == "head:6379"
    with pytest.raises(UserError, match="no token is set"):
        found("auto")


def planted(folder: Path, text: str = "127.0.0.1:6379") -> Path:
    file = folder / "ray" / "ray_current_cluster"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_auto_is_the_last_cluster_that_this_user_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(UserError, match="RAY_ADDRESS is not set"):
        resolved("auto")
    planted(tmp_path)
    assert resolved("auto") == "127.0.0.1:6379"
    planted(tmp_path, "")
    with pytest.raises(UserError, match="no cluster was started"):
        resolved("auto")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_auto_follows_no_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    os.chown(planted(tmp_path), 65534, 65534)
    with pytest.raises(UserError, match="not a file of your own"):
        resolved("auto")


def test_auto_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    file = planted(tmp_path)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not a file of your own"):
        resolved("auto")
