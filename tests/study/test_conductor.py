"""The conductor on the real journal and the real proposer, over a simulated cluster."""

from __future__ import annotations

from pathlib import Path

from superconv_tune.core.events import Closed
from superconv_tune.core.study import Study
from superconv_tune.journal.journal import Journal
from superconv_tune.planner.evidence import verdict_of
from superconv_tune.planner.policy import Policy
from superconv_tune.proposer.proposer import Proposer
from superconv_tune.study.conductor import StudyConductor
from tests.simulated import SPACE, SimulatedCluster, World, opened, policy


def conducted(folder: Path, how: Policy, cluster: SimulatedCluster, study: Study, journal: Journal) -> StudyConductor:
    storage = f"sqlite:///{folder / 'studies.db'}"
    proposer = Proposer(storage, "simulated", SPACE, "max", "random", 0, 20)
    proposer.reconcile(study)
    conductor = StudyConductor(study, how, journal, proposer, cluster.clock, lambda: None)
    conductor.take_over()
    return conductor


def test_an_hour_is_journalled_replayed_and_resumed_without_training_twice(tmp_path: Path) -> None:
    how = policy(0.85, trials=12)
    start = opened(600.0, 2)
    cluster = SimulatedCluster(World(), 2, start.started_at + 30.0)
    with Journal(f"sqlite:///{tmp_path / 'studies.db'}") as journal:
        journal.append("simulated", start)
        conductor = conducted(tmp_path, how, cluster, Study(start), journal)
        for _ in range(3):  # the driver dies with one trial running
            request = conductor.next()
            conductor.observe(cluster.world.run(request, cluster.now)[0])  # type: ignore[arg-type]
        conductor.next()
        done = set(conductor.study.outcomes)

        again = Study.replay(journal.events("simulated"))
        assert set(again.outcomes) == done
        assert len(again.running()) == 1
        resumed = conducted(tmp_path, how, cluster, again, journal)
        cluster.run(resumed)
        resumed.close()

        final = Study.replay(journal.events("simulated"))
        assert isinstance(final.closed, Closed)
        assert final.closed.reason == "decided"
        assert verdict_of(final, how).word == "demonstrated"
        attempts = [request.attempt for trial_id, request in final.requests.items() if trial_id in done]
        assert set(attempts) == {1}
        assert {request.attempt for request in final.requests.values()} == {1, 2}


def test_an_interrupted_search_asks_for_nothing_more(tmp_path: Path) -> None:
    start = opened(600.0, 2)
    cluster = SimulatedCluster(World(), 2, start.started_at + 30.0)
    with Journal(f"sqlite:///{tmp_path / 'studies.db'}") as journal:
        journal.append("simulated", start)
        conductor = conducted(tmp_path, policy(), cluster, Study(start), journal)
        conductor.next()
        conductor.interrupt()
        assert conductor.should_stop()
        cluster.run(conductor)
        conductor.close()
        final = Study.replay(journal.events("simulated"))
        assert final.closed is not None
        assert final.closed.reason == "interrupted"
        assert [outcome.status for outcome in final.outcomes.values()] == ["interrupted"]
