"""Whatever a command or an address does with the verdict, the study is complete."""

from __future__ import annotations

import threading
import time
import webbrowser
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from superconv_tune.study.afterwards import show, tell

VERDICT = '{"verdict": "demonstrated", "name": "Größe"}'


class Server(BaseHTTPRequestHandler):
    """Answers with the number in the path, or hangs; keeps what it was sent."""

    heard: list[str]
    hang: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.heard.append(f"{self.headers['Content-Type']} {body}")
        if self.path.endswith("/hang"):
            self.hang.wait()
            return
        self.send_response(int(self.path.rpartition("/")[2]))
        if self.path.endswith("/302"):
            self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    Server.heard, Server.hang = [], threading.Event()
    served = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/secret", Server.heard
    Server.hang.set()
    served.shutdown()
    thread.join()
    served.server_close()


def test_a_command_reads_the_verdict(tmp_path: Path) -> None:
    assert tell(f"cat > '{tmp_path}/it' && true", VERDICT) == ""
    assert (tmp_path / "it").read_text(encoding="utf-8") == VERDICT


def test_a_command_may_read_nothing() -> None:
    assert tell("true", VERDICT * 10_000) == ""


@pytest.mark.parametrize("command", ["exit 3", "exec no-such-command-at-all 2>/dev/null", "kill -9 $$"])
def test_a_command_that_fails_is_one_warning(command: str) -> None:
    warning = tell(command, VERDICT)
    assert "ended with exit code" in warning
    assert "The study is complete." in warning
    assert command not in warning


def test_a_command_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "late"
    began = time.monotonic()
    warning = tell(f"(sleep 1; touch '{mark}') & wait", VERDICT, wait_s=0.3)
    assert time.monotonic() - began < 0.9
    assert "had not ended after 0.3 s" in warning
    time.sleep(1.1)
    assert not mark.exists()


def test_an_address_gets_the_verdict(server: tuple[str, list[str]]) -> None:
    address, heard = server
    assert tell(f"{address}/200", VERDICT) == ""
    assert heard == [f"application/json {VERDICT}"]


@pytest.mark.parametrize("code", [302, 404, 500])
def test_an_address_that_refuses_is_one_warning_without_the_secret(code: int, server: tuple[str, list[str]]) -> None:
    address, heard = server
    warning = tell(f"{address}/{code}", VERDICT)
    assert f"127.0.0.1 answered {code}" in warning
    assert "secret" not in warning
    assert len(heard) == 1


def test_an_address_that_hangs_is_not_waited_for(server: tuple[str, list[str]]) -> None:
    assert "did not answer within 0.2 s" in tell(f"{server[0]}/hang", VERDICT, wait_s=0.2)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "http://", "http://[", "https://127.0.0.1:99999/"])
def test_an_address_that_leads_nowhere_is_one_warning(address: str) -> None:
    assert "cannot be reached" in tell(address, VERDICT)


def test_the_report_is_shown_in_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, said = list[str](), list[str]()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)  # type: ignore[func-returns-value]
    show(tmp_path / "a report.html", said.append)
    assert opened == [f"file://{tmp_path}/a%20report.html"]
    assert not said


def test_without_a_screen_no_browser_takes_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("a browser was opened"))
    show(tmp_path / "report.html", said.append)
    assert "there is no browser" in said[0]
