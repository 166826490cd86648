"""Jobs whose ledger is in Azure Blob Storage: what they ask of it, and what they do when it refuses or is away."""

import re
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import unquote

import pytest

from tests.azurite import azurite
from tests.runs import begin_by_hand, make_run, wait_until
from windtunnel.definition.model import Definition
from windtunnel.launchers import get_launcher
from windtunnel.launchers.job_folder import JobFolder
from windtunnel.ledger import Job, Ledger, Request, Result, State
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import open_store

pytestmark = pytest.mark.azure

_containers = count()
PATIENCE = 180  # seconds: the machine may be busy


@pytest.fixture
def url(azurite_server, monkeypatch, tmp_path) -> str:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    monkeypatch.setenv("WINDTUNNEL_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("WINDTUNNEL_CACHE", str(tmp_path / "cache"))
    return f"azure://jobs-{next(_containers)}/runs"


@pytest.fixture
def run(url, tmp_path):
    made = []

    def make(*jobs, **options):
        made.append(make_run(url, tmp_path / "trace", *jobs, **options))
        return made[-1]

    yield make
    for run in made:
        get_launcher("local").cancel(run.ledger)


def job_of(ledger, stage, *units):
    return ledger.create_job(Job(job=f"job-{units[0]}", stage=stage, units=list(units)))


def perform(ledger, job):
    """Launch the job and wait until it has ended."""
    get_launcher("local").launch(ledger, job)
    wait_until(lambda: not get_launcher("local").live(ledger), PATIENCE)


def kind_of(method, path):
    """A request as Azure bills it: listing, writing, reading or (free) deleting."""
    if "comp=list" in path:
        return "list"
    return {"GET": "read", "HEAD": "read", "PUT": "write", "DELETE": "delete"}[method]


def is_below(path, container, folder):
    """Whether a request is for an object in a folder, or lists what is there."""
    address, _, query = path.partition("?")
    if "comp=list" in query:
        return f"prefix={folder}" in query
    return address.partition(f"/{container}/")[2].startswith(folder)


# What a longer trial writes more often, up to three hours; tests/trainer/test_trial.py holds it to these numbers.
OFTEN = {"metrics.jsonl": 6, "checkpoint.pt": 4, "log.txt": 4}


@pytest.mark.slow
@pytest.mark.parametrize("trials", [4, 1])
def test_a_trial_of_ten_epochs_costs_less_than_25_requests(url, azurite_server, trials):
    definition = Definition(
        name="toy",
        workload="tests.workloads.quick",
        settings={"slow": 0.5, "load": True},
        objectives={"val_acc": "maximize"},
        epochs={"partial": 10, "full": 20},
    )
    ledger = begin_by_hand(Ledger(open_store(url), "toy", "run"), definition)
    perform(ledger, job_of(ledger, "prepare", "prepare"))
    before = len(azurite_server.requests())
    configs = [f"{number:016x}" for number in range(trials)]
    for config in configs:
        params = {"width": 4, "depth": 2}
        ledger.begin_trial(Request(trial=trial_id(config, 10), config=config, params=params, epochs=10, stage="1"))
    job = job_of(ledger, "1", *(trial_id(config, 10) for config in configs))
    perform(ledger, job)
    asked = azurite_server.requests()[before:]
    assert [ledger.result(unit).state for unit in job.units] == [State.COMPLETED] * trials

    container, own = url.removeprefix("azure://").partition("/")[0], "runs/toy/run/"
    outside = [path for _, path in asked if not is_below(unquote(path), container, own)]
    assert outside == [], "a token for the run's folder alone, as docs/azure.md has it, does not do"

    whose = Counter()
    for method, path in asked:
        trial = re.search(r"[0-9a-f]{16}-e10", path)
        name = re.sub(r"\?.*", "", path).rpartition("/")[2] if "comp=list" not in path else "a listing"
        whose[(kind_of(method, path), name.replace(trial.group() if trial else "-", "<trial>"), bool(trial))] += 1
    for (kind, name, own), number in sorted(whose.items()):
        print(f"{number / trials if own else number:6.2f} {kind:5} {name} {'a trial' if own else 'the job'}")
    kinds = Counter(kind_of(method, path) for method, path in asked)
    often = sum(number for (kind, name, _), number in whose.items() if kind == "write" and name in OFTEN)
    longest = (len(asked) - often) / trials + sum(OFTEN.values())
    print({kind: number / trials for kind, number in kinds.items()}, "of the longest in all", longest)
    assert len(asked) / trials < 25, whose  # the job's own requests shared out
    assert longest < 25 or trials == 1, whose


# Results


def result(trial, **fields):
    return Result(trial=trial, state=State.COMPLETED, **fields)


@pytest.mark.slow
def test_of_two_trainers_with_the_same_result_exactly_one_wins_200_times(url):
    ledgers = [Ledger(open_store(url), "toy", "run") for _ in range(2)]
    reader = Ledger(open_store(url), "toy", "run")
    trials = [trial_id(f"{number:016x}", 1) for number in range(200)]
    with ThreadPoolExecutor(2) as pool:
        for trial in trials:
            states = [State.COMPLETED, State.FAILED]
            records = [
                Result(trial=trial, state=state, objectives={"loss": float(n)}) for n, state in enumerate(states)
            ]
            won = list(pool.map(lambda ledger, record: ledger.record(record), ledgers, records))
            assert sorted(won) == [False, True]
            held = records[won.index(True)]
            assert [ledger.result(trial) for ledger in (*ledgers, reader)] == [held] * 3
            late = Result.model_validate_json(reader.store.get(reader.trial_path(trial, "late.json")))
            assert late == records[won.index(False)]
    outcomes = reader.outcomes()
    assert set(outcomes) == set(trials)
    assert all(outcome.state is reader.result(trial).state for trial, outcome in outcomes.items())


def test_a_result_is_never_seen_torn(url, azurite_server):
    """A connection that is cut within a write leaves nothing."""
    import http.client
    from urllib.parse import urlsplit

    from azure.storage.blob import generate_container_sas

    from tests.azurite import ACCOUNT

    ledger = Ledger(open_store(url), "toy", "run")
    ledger.begin({"definition": {}})
    container, _, prefix = url.removeprefix("azure://").partition("/")
    end = datetime.now(UTC) + timedelta(hours=1)
    token = generate_container_sas(ACCOUNT, container, azurite_server.key, permission="rwcl", expiry=end)
    trial = trial_id("0" * 16, 1)
    address = urlsplit(azurite_server.url)
    connection = http.client.HTTPConnection(address.netloc)
    connection.putrequest("PUT", f"{address.path}/{container}/{prefix}/toy/run/results/{trial}.json?{token}")
    for name, value in (("x-ms-blob-type", "BlockBlob"), ("x-ms-version", "2021-08-06"), ("Content-Length", "5000")):
        connection.putheader(name, value)
    connection.endheaders(b'{"trial": "torn')
    connection.close()
    time.sleep(0.5)
    assert ledger.outcomes() == {} and ledger.result(trial) is None
    assert ledger.record(result(trial))
    assert ledger.result(trial) == result(trial)


def test_a_late_a_repeated_and_an_unknown_result_change_nothing(run):
    run = run(["nothing", "sleep 0"])
    known, stranger = run.trial("nothing"), trial_id("f" * 16, 1)
    assert run.ledger.record(result(known, message="first"))
    assert not run.ledger.record(result(known, message="repeated"))
    assert run.ledger.record(result(stranger, message="nobody asked"))
    run.finish(PATIENCE)  # the watch counts the stage's own trials only
    assert not run.ledger.record(result(run.trial("sleep 0"), message="late"))
    assert run.result("nothing").message == "first"
    assert run.starts == {"sleep 0": run.starts["sleep 0"]} and len(run.starts["sleep 0"]) == 1


def test_clocks_that_differ_change_nothing(run, monkeypatch):
    """A trainer whose clock is a day ahead, and a store whose clock is right."""
    run = run(["nothing", "sleep 0"])
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="milliseconds")
    trial = run.trial("nothing")
    attempt = run.ledger.begin_attempt(trial, "1-0", "elsewhere", ahead)
    from windtunnel.ledger.failures import record_failure

    record_failure(run.ledger, trial, "killed", "by a host with another clock", attempt=attempt)
    assert run.result("nothing").seconds == 0.0
    run.finish(PATIENCE)
    assert run.result("sleep 0").state is State.COMPLETED


# The store is away, or refuses


@pytest.mark.slow
def test_a_run_goes_on_over_a_restart_of_the_storage(url, tmp_path, monkeypatch):
    with azurite() as server:  # its own: others' tests must not see it go
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
        run = make_run("azure://restarted/runs", tmp_path / "trace", ["sleep 3", "sleep 3.0", "sleep 3.00"])
        run.launch()
        run.wait_for_start("sleep 3", PATIENCE)
        server.stop()
        time.sleep(8)
        server.start()
        run.wait(PATIENCE)
        wait_until(lambda: not get_launcher("local").live(run.ledger), PATIENCE)
        assert {outcome.state for outcome in run.ledger.outcomes().values()} == {State.COMPLETED}
        assert len(run.ledger.outcomes()) == 3
        assert all(len(pids) == 1 for pids in run.starts.values())  # nothing was trained twice


@pytest.mark.slow
def test_a_server_that_hangs_is_waited_for(url, tmp_path, monkeypatch):
    with azurite() as server:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
        run = make_run("azure://hanging/runs", tmp_path / "trace", ["sleep 1", "nothing"])
        run.launch()
        run.wait_for_start("sleep 1", PATIENCE)
        server.signal(signal.SIGSTOP)
        time.sleep(5)
        server.signal(signal.SIGCONT)
        run.wait(PATIENCE)
        assert {outcome.state for outcome in run.ledger.outcomes().values()} == {State.COMPLETED}


@pytest.mark.slow
def test_a_checkpoint_that_finds_no_room_is_tried_again_and_then_a_clear_failure(url, tmp_path, monkeypatch):
    """The trainer's temporary folder is full: files may grow to a few bytes only."""
    definition = Definition(
        name="toy",
        workload="tests.workloads.full_disk",
        objectives={"val_acc": "maximize"},
        epochs={"partial": 1, "full": 2},
        limits={"trial_retries": 1},
    )
    ledger = begin_by_hand(Ledger(open_store(url), "toy", "run"), definition)
    request = ledger.begin_trial(
        Request(trial=trial_id("0" * 16, 1), config="0" * 16, params={}, epochs=1, stage="1", iteration=1)
    )
    job = job_of(ledger, "1", request.trial)
    perform(ledger, job)
    found = ledger.result(request.trial)
    assert (found.state, found.kind, found.attempts) == (State.FAILED, "storage", 2)
    assert "cannot write the checkpoint" in found.message and "starts: 2" in found.message
    assert "is started again" in JobFolder.of(ledger).log_tail(job.job, 10_000)
