"""A local Ray among hostile neighbours: where it runs, what it takes, and who can reach it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.hostile import HOSTILE

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
NOBODY = 65534

# Starts a local Ray, says where it is, and stays until it is told to end.
SCRIPT = """
import json, os, sys
from superconv_tune.cluster.surroundings import surroundings
from superconv_tune.data.scratch import WITHIN
with surroundings(None):
    from superconv_tune.cluster.connection import cluster
    import ray
    with cluster(None):
        @ray.remote
        def world():
            return os.getcwd(), os.environ["RAY_AUTH_TOKEN"], os.getpid()

        print(json.dumps({
            "folder": os.environ[WITHIN],
            "session": ray._private.worker._global_node.get_session_dir_path(),
            "gcs": ray.get_runtime_context().gcs_address,
            "cpus": ray.cluster_resources()["CPU"],
            "token": os.environ["RAY_AUTH_TOKEN"],
            "world": ray.get(world.remote()),
        }), flush=True)
        sys.stdin.read()
print("over", flush=True)
"""

# Asks the control store for its nodes, as whoever has no token would.
STRANGER = """
import sys
from ray._raylet import GcsClient
try:
    print("let in:", GcsClient(address=sys.argv[1]).get_all_node_info(timeout=10))
except BaseException as error:
    print("kept out:", error)
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A local Ray on one core, whose user's environment is as bad as it gets."""
    folder = tmp_path_factory.mktemp("hostile")
    temporary = folder / "a long path" / ("x" * 60)
    (temporary / "ray").mkdir(parents=True)
    (temporary / "ray" / "ray_current_cluster").write_text("127.0.0.1:1", encoding="utf-8")
    (folder / ".ray").mkdir()
    scrubbed = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_"))}
    errors = (folder / "errors").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env=scrubbed | HOSTILE | {"TMPDIR": str(temporary), "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "errors").read_text(encoding="utf-8")
        facts = json.loads(line) | {"home": folder, "pid": process.pid}
        yield facts
        said, _ = process.communicate("", timeout=60)
        assert said == "over\n"
        assert not Path(facts["folder"]).exists()
    finally:
        errors.close()
        process.kill()
        process.wait()


def test_it_is_a_ray_of_its_own_in_a_short_and_private_folder(local: dict[str, Any]) -> None:
    folder = Path(local["folder"])
    assert folder.parent == Path("/tmp")
    assert folder.stat().st_mode & 0o077 == 0
    assert Path(local["session"]).is_relative_to(folder)
    assert local["gcs"].startswith("127.0.0.1:")
    assert local["gcs"] != "127.0.0.1:1"


def test_it_takes_the_cores_that_it_may_run_on(local: dict[str, Any]) -> None:
    assert local["cpus"] == 1


def test_a_worker_stands_in_the_folder_of_the_search(local: dict[str, Any]) -> None:
    assert local["world"][0] == str(local["home"])


def test_the_token_is_in_no_file_and_in_no_command_line(local: dict[str, Any]) -> None:
    token = local["token"].encode()
    assert local["world"][1] == local["token"]
    files = [file for root in (local["home"], Path(local["folder"])) for file in root.rglob("*") if file.is_file()]
    assert len(files) > 5  # Ray's logs
    assert not [file for file in files if token in file.read_bytes()]
    assert not (local["home"] / ".ray" / "auth_token").exists()
    lines = [line for file in Path("/proc").glob("[0-9]*/cmdline") if (line := _read(file))]
    assert any(b"raylet" in line for line in lines)
    assert not [line for line in lines if token in line]


def test_without_the_token_ray_answers_nothing(local: dict[str, Any]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    for mode in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "x" * 64}):
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, local["gcs"]],
            env=kept | {"HOME": str(local["home"])} | mode,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.stdout.startswith("kept out:"), done.stdout + done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_reads_neither_the_token_nor_the_session(local: dict[str, Any]) -> None:
    for secret in (f"/proc/{local['pid']}/environ", f"/proc/{local['world'][2]}/environ", local["session"]):
        done = subprocess.run(
            ["cat", secret], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=False
        )
        assert done.returncode != 0, secret
        assert not done.stdout
        assert b"denied" in done.stderr, done.stderr


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # it has just ended
        return b""
