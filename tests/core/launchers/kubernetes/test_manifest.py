import pytest

from tests.core.definition.conftest import GOOD
from tests.definitions import definition_from
from windtunnel.launchers.kubernetes.manifest import job_name, manifest
from windtunnel.ledger import Job, Ledger
from windtunnel.stores import open_store

TEMPLATE = {
    "metadata": {"labels": {"team": "models"}},
    "spec": {
        "nodeSelector": {"disk": "fast"},
        "containers": [
            {"name": "proxy", "image": "p"},
            {
                "name": "trainer",
                "image": "t",
                "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "2"}, "requests": {"nvidia.com/gpu": "1"}},
            },
        ],
    },
}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(open_store(str(tmp_path)), "my search", "run 1", "0" * 64)


def job(units=("a", "b"), **fields):
    return Job(job="1-0", stage="1", units=list(units), **fields)


def made(ledger, a_job=None, **fields):
    definition = definition_from({**GOOD, "launcher": "kubernetes", "pod_template": TEMPLATE, **fields})
    return manifest(ledger, a_job or job(), definition, 3)


def trainer(made):
    return made["spec"]["template"]["spec"]["containers"][1]


def test_the_name_is_the_jobs_and_no_others(ledger, tmp_path):
    name = job_name(ledger, "1-0")
    assert name == job_name(Ledger.open(ledger.url), "1-0")
    others = [job_name(ledger, "1-1"), job_name(Ledger(ledger.store, "my search", "run 2"), "1-0")]
    assert len({name, *others}) == 3
    assert len(name) <= 52  # pods' names add to it, and must fit into 63


def test_ids_are_annotations_and_labels_find_the_run(ledger):
    found = made(ledger)["metadata"]
    assert found["annotations"] == {
        "windtunnel/ledger": ledger.url,
        "windtunnel/units": "a b",
        "windtunnel/launch": "3",
    }
    assert {"windtunnel/run", "windtunnel/search", "windtunnel/stage", "windtunnel/job"} < set(found["labels"])
    assert all(len(value) <= 63 for value in found["labels"].values())


def test_the_users_template_stays_but_for_what_the_job_needs(ledger):
    found = made(ledger)
    spec = found["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["restartPolicy"] == "Never"
    assert spec["containers"][0] == TEMPLATE["spec"]["containers"][0]
    assert trainer(found)["command"] == ["python", "-m", "windtunnel_trainer"]
    assert trainer(found)["args"] == [ledger.url, "1-0", "--digest", ledger.digest, "--launch", "3"]
    assert found["spec"]["template"]["metadata"]["labels"]["team"] == "models"
    assert "activeDeadlineSeconds" not in spec
    assert trainer(found)["resources"]["limits"] == {"nvidia.com/gpu": "1", "cpu": "2"}
    assert "restartPolicy" not in TEMPLATE["spec"]


def test_the_definitions_resources_take_the_templates_place(ledger):
    resources = {"gpus": 4, "cpu": 1.5, "memory": "2 GiB", "priority": "low", "queue": "team-a"}
    found = made(ledger, resources=resources)
    assert trainer(found)["resources"] == {
        "limits": {"nvidia.com/gpu": "4", "memory": "2147483648"},
        "requests": {"cpu": "1500m", "memory": "2147483648"},
    }
    assert found["spec"]["template"]["spec"]["priorityClassName"] == "low"
    assert found["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert trainer(made(ledger, resources={"gpus": 0}))["resources"] == {"limits": {"cpu": "2"}, "requests": {}}


@pytest.mark.parametrize(
    ("limits", "slots", "seconds"),
    [
        ({"job_time": 100}, 1, 100),
        ({"trial_time": 10, "trial_retries": 1}, 1, 3 * 10 * 2),
        ({"trial_time": 10, "trial_retries": 0}, 2, 2 * 10),
    ],
)
def test_a_pod_ends_some_time_after_its_trainer_should_have(ledger, limits, slots, seconds):
    found = made(ledger, job("abc", slots=slots), limits=limits)
    assert found["spec"]["template"]["spec"]["activeDeadlineSeconds"] == seconds + 1800  # in which the image is pulled


def test_a_lanes_pod_may_live_into_full_training(ledger):
    """However long that takes, and whatever the search's time is: it is the stages that end lanes."""
    limits = {"search_time": 60, "trial_time": 10, "job_time": 100}
    lane = Job.of_lane(1, 0)
    assert "activeDeadlineSeconds" not in made(ledger, lane, limits=limits)["spec"]["template"]["spec"]


def test_a_lanes_pods_are_started_again_as_long_as_it_brings_something_about(ledger):
    """A Job's `backoffLimit` counts for its whole life, which for a lane is that of the search."""
    limits = [{"trial_retries": 0}, {"trial_retries": 9}]
    found = {made(ledger, Job.of_lane(1, 0), limits=each)["spec"]["backoffLimit"] for each in limits}
    assert len(found) == 1 and min(found) > 1000


def test_every_unit_may_take_its_pod_down_as_often_as_it_is_retried(ledger):
    assert made(ledger, limits={"trial_retries": 2})["spec"]["backoffLimit"] >= 2 * 3
    assert made(ledger)["spec"]["ttlSecondsAfterFinished"] > 0
