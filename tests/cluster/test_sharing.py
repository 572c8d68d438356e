"""Several trials on one GPU, tried out under a real Ray; where there is no GPU it is Ray's count of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(280)]

SCRIPT = """
import json, os
from superconv_tune.cluster.access import use_token
use_token()  # before Ray is imported, as the commands do
import ray
from contextlib import contextmanager
from pathlib import Path
from superconv_tune.cluster.connection import cluster
from superconv_tune.cluster.surroundings import surroundings
from superconv_tune.cluster.sharing import has_gpus
from superconv_tune.cluster.worker import prepared
from superconv_tune.spec.load import load_spec
from superconv_tune.spec.spec import defaults
from superconv_tune.study.question import ready
from superconv_tune.study.gpu_share import shared

question = ready(load_spec(Path("spec.yaml"), {"budget": "10m"}))


@contextmanager
def pretended():
    os.environ["RAY_OVERRIDE_RESOURCES"] = os.environ["RESOURCES"]  # a search of a user's would not follow it
    yield


with surroundings(None), pretended(), cluster(None):
    @ray.remote(num_cpus=0, num_gpus=0.5 if has_gpus() else 0)
    def seen():
        return os.environ.get("CUDA_VISIBLE_DEVICES"), prepared(question.payload, 1, os.getcwd()).of("").device.type

    settled = shared(question, None)
    at = str(defaults(question.spec).batch_size)
    print(json.dumps({
        "has": has_gpus(),
        "gpus": settled.spec.resources.gpus_per_trial,
        "carried": settled.payload.spec.resources.gpus_per_trial,
        "slower": settled.measured.step_s[at] / question.measured.step_s[at],
        "seen": ray.get(seen.remote()),
    }))
"""


def tried(folder: Path, gpus: int, visible: str) -> dict[str, object]:
    (folder / "spec.yaml").write_text("name: small\ndata: digits\nmodel: {name: mlp}\n", encoding="utf-8")
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": visible,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "RESOURCES": json.dumps({"CPU": 2, "GPU": gpus} if gpus else {"CPU": 2}),
    }
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_auto_takes_the_share_at_which_most_gets_done(tmp_path: Path) -> None:
    """Only two processes have a core here, so that four at once are never measured."""
    found = tried(tmp_path, 1, "7")
    assert found["has"] is True
    assert found["gpus"] == found["carried"]
    assert found["gpus"] in (1.0, 0.5)
    assert isinstance(found["slower"], float)
    assert found["slower"] > 0.0
    seen = found["seen"]
    assert isinstance(seen, list)
    assert seen[0] == "7"  # the one that the user left visible, and no other


def test_auto_is_nothing_where_the_cluster_has_no_gpu(tmp_path: Path) -> None:
    found = tried(tmp_path, 0, "")
    assert (found["has"], found["gpus"], found["slower"]) == (False, 0.0, 1.0)
    assert found["seen"] == ["", "cpu"]
