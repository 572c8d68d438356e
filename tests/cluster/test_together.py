"""How many processes can train together on the nodes of a cluster."""

from __future__ import annotations

import pytest

from superconv_tune.cluster import together
from superconv_tune.cluster.slots import Capacity, Nodes
from superconv_tune.core.errors import UserError


@pytest.mark.parametrize(
    ("nodes", "threads", "most", "kind"),
    [
        ([{"CPU": 4.0}] * 4, 1, 16, "CPU"),
        ([{"CPU": 4.0}] * 4, 3, 4, "CPU"),  # 16 cores, but one process on each node
        ([{"CPU": 16.0}, {"CPU": 8.0, "GPU": 4.0}], 2, 4, "GPU"),
    ],
)
def test_each_process_needs_its_cores_or_its_gpu_on_one_node(
    monkeypatch: pytest.MonkeyPatch, nodes: Nodes, threads: int, most: int, kind: str
) -> None:
    monkeypatch.setattr(together, "look", lambda: Capacity(nodes, nodes, 1))
    assert together.has_gpus(most, threads) == (kind == "GPU")
    with pytest.raises(UserError, match=rf"--workers: .* {kind}, but .* Ask for at most {most},"):
        together.has_gpus(most + 1, threads)
