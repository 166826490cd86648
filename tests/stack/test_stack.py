"""A search in the whole stack, as a team would run it: triggered over the REST API, while single services go away."""

import json
import os

import pytest

from tests.stack.compose import Stack, why_not

pytestmark = pytest.mark.stack

SEARCH = "digits_cnn"
SHORTER = {"iterations": 2, "epochs_full": 6}
TRIALS = 12 + 10
# The trainer dies at once, with all it runs; the others are told to end, as a new version of them would do it.
RESTARTS = ("trainer", "triggerer", "azurite", "scheduler", "postgres", "api-server")
# Of each unit, its starts, and how its result was recorded; run in the trainer's container.
_STARTS = """
import json, sys
from windtunnel.ledger.find import find_run
ledger = find_run(sys.argv[1])
print(json.dumps({
    unit: {
        "starts": [attempt.started for attempt in ledger.attempts(unit)],
        "ended": ledger.result(unit).ended,
    }
    for unit in [*ledger.outcomes(), *ledger.step_outcomes()]
}))
"""

_URL = "from windtunnel.ledger.find import find_run; print(find_run('latest').url)"


@pytest.fixture(scope="module")
def stack():
    if reason := why_not():
        assert "WINDTUNNEL_NEED_DOCKER" not in os.environ, reason
        pytest.skip(f"no stack is tested: {reason}")
    with Stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def disturbed(stack):
    """A run during which each service was restarted once: the run as the API has it, and its ledger's URL."""
    run_id = stack.trigger(SEARCH, **SHORTER)
    log = "cat /opt/airflow/spool/runs/*/lane-*.log 2>/dev/null || true"
    stack.until(lambda: ": start 1, process" in stack.inside("trainer", "sh", "-c", log), 1200)  # a trial is at work
    for service in RESTARTS:
        stack.restart(service, at_once=service == "trainer")
        assert stack.run(SEARCH, run_id)["state"] == "running", f"it ended before {service} was restarted"
    run = stack.wait(SEARCH, run_id, 2400)
    return run, stack.inside("trainer", "python", "-c", _URL).strip()


def test_a_search_ends_well_whichever_service_is_restarted(stack, disturbed):
    run, url = disturbed
    tasks = stack.tasks(SEARCH, run["dag_run_id"])
    bad = {task: state for task, state in tasks.items() if state not in ("success", "skipped")}
    assert (run["state"], bad) == ("success", {})
    found = stack.results(url)
    states = {trial["state"] for trial in found["trials"]}
    assert states <= {"completed", "infeasible"}
    finalists = [trial for trial in found["trials"] if trial["stage"].startswith("full-")]
    assert len(found["trials"]) == TRIALS + len(finalists)
    assert [trial["verdict"] for trial in finalists] == ["verified"] * 4
    assert (
        stack.inside("trainer", "python", "-m", "windtunnel", "fetch", url, "--to", "/tmp/fetched").count(".onnx") == 4
    )
    assert "finished" in stack.inside("trainer", "python", "-m", "windtunnel", "status", url).splitlines()[1]


def test_nothing_was_trained_twice(stack, disturbed):
    _, url = disturbed
    units = json.loads(stack.inside("trainer", "python", "-c", _STARTS, url))
    assert len(units) == TRIALS + 4 + 4 + 1
    again = {unit: each for unit, each in units.items() if any(start > each["ended"] for start in each["starts"])}
    assert again == {}
    restarted = [unit for unit, each in units.items() if len(each["starts"]) > 1]
    assert restarted, "the trainer's death interrupted nothing"
    assert len(restarted) <= 4, "at most the trials at work are started again"


def test_an_undisturbed_run_finds_the_same(stack, disturbed):
    _, url = disturbed
    first = stack.results(url)["trials"]
    run_id = stack.trigger(SEARCH, **SHORTER)
    assert stack.wait(SEARCH, run_id, 1800)["state"] == "success"
    second = stack.results("latest")["trials"]
    facts = ("trial", "state", "params", "objectives", "front", "verdict")
    assert [[trial[fact] for fact in facts] for trial in second] == [[trial[fact] for fact in facts] for trial in first]


def test_only_the_trainer_has_torch_and_only_it_lacks_airflow(stack):
    finds = "import importlib.util; print(*(bool(importlib.util.find_spec(name)) for name in ('torch', 'airflow')))"
    for service in ("scheduler", "triggerer", "api-server", "dag-processor"):
        assert stack.inside(service, "python", "-c", finds).split() == ["False", "True"]
    assert stack.inside("trainer", "python", "-c", finds).split() == ["True", "False"]
    assert stack.inside("trainer", "id", "-u").strip() == "50000"


# Connects to each address of the command line, and prints "yes" or what hindered it.
_REACH = """
import socket, sys
for address in sys.argv[1:]:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print("yes")
    except OSError as error:
        print(type(error).__name__)
"""


def test_trial_code_reaches_the_storage_alone(stack):
    closed = ["postgres:5432", "api-server:8080", "scheduler:8974"]
    resolve = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"
    for service, port in (("postgres", 5432), ("api-server", 8080), ("scheduler", 8974)):
        address = stack.inside("scheduler", "python", "-c", resolve, service).strip()
        closed.append(f"{address}:{port}")
    by_airflow = stack.inside("scheduler", "python", "-c", _REACH, "azurite:10000", *closed).split()
    by_trials = stack.inside("trainer", "python", "-c", _REACH, "azurite:10000", *closed).split()
    assert by_airflow == ["yes"] * 7
    assert by_trials[0] == "yes"
    assert "yes" not in by_trials[1:]


def test_airflow_finds_a_teams_own_workload(stack):
    definition = "/opt/airflow/workloads/searches/tumour_mlp.yaml"
    assert "fine: maximize val_acc" in stack.inside("scheduler", "windtunnel", "validate", definition)


def test_the_storage_key_is_in_no_log(stack, disturbed):
    assert stack.key not in stack.compose("logs")
    assert stack.inside("api-server", "bash", "-c", f"grep -rlF '{stack.key}' logs || true") == ""


def test_without_a_login_nothing_is_shown(stack):
    with stack.client.__class__(base_url=stack.client.base_url) as nobody:
        assert nobody.get(f"/api/v2/dags/{SEARCH}/dagRuns").status_code == 401
        wrong = {"username": "admin", "password": "admin"}
        assert nobody.post("/auth/token", json=wrong).status_code == 401
