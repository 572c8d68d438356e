from __future__ import annotations

import json
from pathlib import Path

from mlflow.tracking import MlflowClient

from superconv_tune.tracking.client import connect
from superconv_tune.tracking.handle import ParentRun, StudyHandle
from superconv_tune.tracking.notes import NOTE
from superconv_tune.tracking.study_run import close_study, open_study
from superconv_tune.tracking.views import SEARCHES, VIEW, charts_link, comparison_link, run_link, view_link


def tags_of(client: MlflowClient, handle: StudyHandle) -> dict[str, str]:
    tags: dict[str, str] = client.get_experiment(handle.experiment_id).tags
    return tags


def test_an_experiment_is_of_model_training_with_views_and_a_note(handle: StudyHandle) -> None:
    tags = tags_of(connect(handle.tracking_uri), handle)
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert json.loads(tags[VIEW + SEARCHES])["name"] == "Searches"
    assert "quiet-otter" in json.loads(tags[VIEW + handle.run_id])["name"]
    assert view_link(handle.experiment_id, SEARCHES) in tags[NOTE].partition("\n")[0]
    assert "compare-experiments" not in tags[NOTE]


def test_experiments_of_several_data_sets_lead_to_their_comparison(handle: StudyHandle) -> None:
    other = open_study(handle.tracking_uri, None, ParentRun("photos", "brave-fox"))
    client = connect(handle.tracking_uri)
    client.create_experiment("somebody's")
    third = open_study(handle.tracking_uri, None, ParentRun("tables", "calm-crab"))
    ids = [handle.experiment_id, other.experiment_id, third.experiment_id]
    assert comparison_link(ids) in tags_of(client, third)[NOTE]
    open_study(handle.tracking_uri, None, ParentRun("digits", "next"))
    assert comparison_link(ids) in tags_of(client, handle)[NOTE]


def test_what_somebody_changed_stays(handle: StudyHandle) -> None:
    client = connect(handle.tracking_uri)
    for key, value in {"mlflow.experimentKind": "finetuning", NOTE: "mine", VIEW + SEARCHES: "{}"}.items():
        client.set_experiment_tag(handle.experiment_id, key, value)
    open_study(handle.tracking_uri, None, ParentRun("digits", "brave-fox"))
    tags = tags_of(client, handle)
    assert (tags["mlflow.experimentKind"], tags[NOTE], tags[VIEW + SEARCHES]) == ("finetuning", "mine", "{}")


def test_an_experiment_of_an_earlier_version_gets_what_it_lacks(handle: StudyHandle) -> None:
    client = connect(handle.tracking_uri)
    client.create_experiment("older")
    study = open_study(handle.tracking_uri, None, ParentRun("older", "brave-fox"))
    assert {"mlflow.experimentKind", NOTE, VIEW + SEARCHES, VIEW + study.run_id} <= tags_of(client, study).keys()


def test_the_store_s_own_experiment_keeps_no_files_in_the_working_folder(empty_store: Path) -> None:
    place = connect(f"sqlite:///{empty_store}").get_experiment("0").artifact_location
    assert place == (empty_store.parent / "mlartifacts" / "0").as_uri()


def test_a_parent_run_has_its_data_its_source_and_a_note(handle: StudyHandle, tmp_path: Path) -> None:
    client = connect(handle.tracking_uri)
    run = client.get_run(handle.run_id)
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest, used.dataset.source_type) == ("digits", "f1" * 6, "code")
    assert {tag.key: tag.value for tag in used.tags} == {
        "mlflow.data.context": "train, test",
        "fingerprint": "f1" * 32,
    }
    assert json.loads(used.dataset.profile) == {"num_rows": 1258, "train": 898, "test": 360}
    tags = run.data.tags
    assert (tags["mlflow.source.name"], tags["mlflow.source.git.commit"]) == ("superconv_tune.search", "c0" * 20)
    assert (tags["role"], tags["metric"]) == ("search", "accuracy")
    assert charts_link(handle) in tags[NOTE]
    report = tmp_path / "report.html"
    report.touch()
    close_study(handle, status="FINISHED", tags={}, metrics={}, artifacts=[report], text="**LIKELY.** Probably.")
    note = client.get_run(handle.run_id).data.tags[NOTE]
    assert "**LIKELY.** Probably." in note
    assert run_link(handle, handle.run_id, "report.html") in note
    assert "recipe.yaml" not in note
