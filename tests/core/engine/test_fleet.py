"""A fleet performed without Airflow: lanes, processes, retries, time-outs, and kills, which change nothing."""

import signal
import threading
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from tests.fleets import fleet_from, table
from windtunnel.engine.fleet import FleetEngine
from windtunnel.errors import FleetError, Stopped
from windtunnel.fleet.planning import RunChoice
from windtunnel.fleet.publishing import summary
from windtunnel.fleet.records import read_plan, result_of, results
from windtunnel.ledger import Ledger
from windtunnel.report import FleetReader
from windtunnel.stores import open_store

# Four tenants wait for each other: so many must run at once. The others fail in one way each.
FAULTS = """
import os, signal, sys, time
from pathlib import Path

trace = Path(os.environ["TRACE"])

def note(name):
    with (trace / name).open("a") as file:
        file.write(f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")

def init():
    note("init")

def run(mini_batch):
    (path,) = mini_batch
    tenant = Path(path).stem
    note(f"run-{tenant}")
    print("now", tenant)
    if tenant.startswith("together"):
        end = time.monotonic() + 60
        while len(list(trace.glob("run-together*"))) < 4 and time.monotonic() < end:
            time.sleep(0.01)
    elif tenant == "slow":
        time.sleep(600)
    elif tenant == "killed_once" and len((trace / "run-killed_once").read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    elif tenant == "error":
        raise ValueError("no good")
    elif tenant == "exit":
        os._exit(7)
    elif tenant == "short":
        return []
    return [{"score": len(tenant)}]

def shutdown():
    note("shutdown")
"""
TENANTS = [
    "together_1",
    "together_2",
    "together_3",
    "together_4",
    "slow",
    "killed_once",
    "error",
    "exit",
    "short",
    "last",
]


def ledger_at(folder, name="toy", run="run"):
    return Ledger(open_store(str(folder / "runs")), name, run)


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """A run of two lanes with two processes each, in which everything goes wrong that can."""
    folder = tmp_path_factory.mktemp("faults")
    trace = folder / "trace"
    trace.mkdir()
    fleet = fleet_from(
        folder,
        code=FAULTS,
        raw="tenant,x\n" + "".join(f"{tenant},1\n" for tenant in TENANTS),
        split={"keys": ["tenant"]},
        environment_variables={"TRACE": str(trace), "CUDA_VISIBLE_DEVICES": "a,b,c,d"},
        retry_settings={"max_retries": 1, "timeout": 5},
        resource_monitor_interval=0.1,
        objectives={"score": "maximize"},
        limits={"parallel": 2, "slots": 2},
    )
    ledger = ledger_at(folder)
    published = FleetEngine(fleet, ledger).perform()
    return published, trace, ledger


def lines(trace, name):
    return [line.split() for line in (trace / name).read_text().splitlines()]


def by_tenant(ledger):
    return {row["partitions"].removesuffix(".csv"): row for row in table(ledger, "gathered/batches.csv")}


@pytest.mark.slow
def test_two_lanes_run_two_processes_each_at_once(faults):
    _, _, ledger = faults
    rows = by_tenant(ledger)
    together = [rows[name] for name in TENANTS[:4]]
    assert {row["result"] for row in together} == {"succeeded"}
    assert {(row["lane"], row["slot"]) for row in together} == {
        ("lane-1-0", "0"), ("lane-1-0", "1"), ("lane-1-1", "0"), ("lane-1-1", "1")
    }  # fmt: skip
    assert len({row["process"] for row in together}) == 4


@pytest.mark.slow
def test_init_is_called_once_a_process_and_processes_live_on(faults):
    _, trace, ledger = faults
    starts = Counter(pid for pid, _ in lines(trace, "init"))
    assert set(starts.values()) == {1}
    workers = {row["process"] for row in by_tenant(ledger).values()}
    assert workers <= starts.keys()
    assert len(starts) < len(TENANTS)
    assert lines(trace, "shutdown")


@pytest.mark.slow
def test_each_process_sees_a_gpu_of_its_own(faults):
    _, trace, _ = faults
    gpus = {gpu for name in TENANTS[:4] for _, gpu in lines(trace, f"run-{name}")}
    assert gpus == {"a", "b", "c", "d"}


@pytest.mark.slow
def test_each_failure_is_retried_and_then_counted(faults):
    published, trace, ledger = faults
    found = {tenant: (row["result"], row["attempts"], row["error"]) for tenant, row in by_tenant(ledger).items()}
    assert {tenant: found[tenant] for tenant in TENANTS[4:]} == {
        "slow": ("failed", "2", "timeout"),
        "killed_once": ("succeeded", "2", ""),
        "error": ("failed", "2", "error"),
        "exit": ("failed", "2", "error"),
        "short": ("failed", "2", "short"),
        "last": ("succeeded", "1", ""),
    }
    assert {name: len(lines(trace, f"run-{name}")) for name in ("slow", "error", "last")} == {
        "slow": 2,
        "error": 2,
        "last": 1,
    }
    counts = ("batches_failed", "batches_retried", "short_returns", "items", "items_failed", "partitions_failed")
    assert [published["accounts"][name] for name in counts] == [4, 5, 1, 10, 4, 4]
    assert "no good" in by_tenant(ledger)["error"]["message"]


@pytest.mark.slow
def test_what_succeeded_is_in_the_table_and_on_the_leaderboard(faults):
    _, _, ledger = faults
    fine = [*TENANTS[:4], "killed_once", "last"]
    assert [row["tenant"] for row in table(ledger)] == fine
    board = table(ledger, "gathered/leaderboard.csv")
    assert [row["tenant"] for row in board[:2]] == ["killed_once", "together_1"]
    assert {row["state"] for row in board[6:]} == {"failed"}


@pytest.mark.slow
def test_logs_and_samples_of_every_process_are_kept(faults):
    _, _, ledger = faults
    names = {entry.path.rpartition("/")[2] for entry in ledger.store.list(ledger.path("logs/"))}
    assert {"lane-1-0.1.log", "lane-1-0-0.1.log", "lane-1-0-1.1.log", "lane-1-1-1.1.log"} <= names
    log = ledger.store.get(ledger.path("gathered/log.txt")).decode()
    assert all(f"now {tenant}" in log for tenant in TENANTS)
    samples = ledger.store.get(ledger.path("samples/lane-1-0.1.csv")).decode().splitlines()
    assert samples[0] == "moment,lane,slot,process,cpu_percent,memory_bytes,gpu_percent,gpu_memory_bytes"
    assert int(samples[1].split(",")[5]) > 1_000_000


@pytest.mark.slow
def test_only_what_failed_is_trained_in_the_next_run(faults):
    _, trace, _ = faults
    fleet = fleet_from(
        trace.parent,
        code=FAULTS,
        raw="tenant,x\n" + "".join(f"{tenant},1\n" for tenant in TENANTS),
        split={"keys": ["tenant"]},
        environment_variables={"TRACE": str(trace), "CUDA_VISIBLE_DEVICES": "a,b,c,d"},
        retry_settings={"max_retries": 0},
        error_threshold=0,
        limits={"parallel": 1},
    )
    again = ledger_at(trace.parent, run="again")
    with pytest.raises(FleetError, match="1 item failed; error_threshold allows 0"):
        FleetEngine(fleet, again, RunChoice(partitions=["error", "last"])).perform()
    assert len(lines(trace, "run-last")) == 1
    states = Counter(row["state"] for row in table(again, "gathered/leaderboard.csv"))
    assert states == {"taken": 6, "failed": 1, "skipped": 3}


@pytest.mark.slow
def test_an_init_that_fails_ends_the_run_and_says_why(tmp_path):
    fleet = fleet_from(
        tmp_path,
        code="def init():\n    raise OSError('no licence')\ndef run(mini_batch):\n    return mini_batch",
        retry_settings={"max_retries": 1},
    )
    with pytest.raises(FleetError, match=r"came through the import of .*entry.py and its init: OSError: no licence"):
        FleetEngine(fleet, ledger_at(tmp_path)).perform()


@pytest.mark.slow
def test_an_init_that_hangs_ends_the_run_and_says_so(tmp_path):
    fleet = fleet_from(
        tmp_path,
        code="import time\ndef init():\n    print('loading')\n    time.sleep(600)\ndef run(mini_batch):\n    return []",
        retry_settings={"max_retries": 0},
        limits={"init": 0.1, "parallel": 1},
    )
    with pytest.raises(FleetError, match=r"its init: its process was not ready after limits.init, 0.1 s"):
        FleetEngine(fleet, ledger_at(tmp_path)).perform()


TRAIN = """
import os
def train(partition):
    partition.report(pid=os.getpid(), rows=len(partition.files[0].read_text().splitlines()) - 1)
    return [{"tenant": "mine", "rows": 1}]

def evaluate(table):
    return {"rows": len(table.rows())}
"""


@pytest.mark.slow
@pytest.mark.parametrize("reuse", [True, False])
def test_a_workload_trains_each_partition_in_a_process_of_its_own_unless_they_are_reused(tmp_path, monkeypatch, reuse):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"toy_reuse_{reuse}.py").write_text(TRAIN)
    raw = "tenant,x\n" + "".join(f"{tenant},1\n" for tenant in range(4))
    fleet = fleet_from(tmp_path, raw=raw, workload=f"toy_reuse_{reuse}", reuse=reuse, limits={"parallel": 1})
    ledger = ledger_at(tmp_path)
    published = FleetEngine(fleet, ledger).perform()
    pids = {result.outcomes[0].metrics["pid"] for result in results(ledger)}
    assert len(pids) == (1 if reuse else 4)
    assert published["evaluation"] == {"rows": 4}
    assert summary(ledger, read_plan(ledger)) == ["4 of 4 partitions trained", "evaluation: rows 4"]
    assert [row["tenant"] for row in table(ledger)] == ["0", "1", "2", "3"]  # the keys are the data's


SLEEP = """
import os, time
def run(mini_batch):
    time.sleep(0.1)
    return [{"name": os.path.basename(path)} for path in mini_batch]
"""


STRUCK = """
import os, time
from pathlib import Path
STRUCK = Path(os.environ["STRUCK"])
def run(mini_batch):
    for path in mini_batch:
        mark = STRUCK / os.path.basename(path)
        if mark.exists() and not mark.read_text():  # waits to be struck, once
            mark.write_text(str(os.getpid()))
            time.sleep(3600)
    return [{"name": os.path.basename(path)} for path in mini_batch]
"""


@pytest.mark.slow
def test_kills_change_nothing_in_the_table(tmp_path):
    raw = "tenant,x\n" + "".join(f"{tenant},1\n" for tenant in range(60))
    strikes = tmp_path / "strikes"
    strikes.mkdir()
    fleet = fleet_from(
        tmp_path,
        code=STRUCK,
        raw=raw,
        environment_variables={"STRUCK": str(strikes)},
        retry_settings={"max_retries": 20},
        limits={"parallel": 2, "slots": 2},
    )
    FleetEngine(fleet, ledger_at(tmp_path, run="undisturbed")).perform()
    ledger = ledger_at(tmp_path, run="killed")
    waiting = {strikes / f"tenant_{tenant}.csv" for tenant in range(5, 60, 10)}
    for mark in waiting:
        mark.touch()
    over, killed = threading.Event(), []

    def kill():
        """Strike whoever waits for it: in turn its process, and its lane."""
        while waiting and not over.wait(0.02):
            for mark in [mark for mark in waiting if mark.read_text()]:
                waiting.remove(mark)
                with suppress(psutil.NoSuchProcess):  # it went with its lane
                    worker = psutil.Process(int(mark.read_text()))
                    victim = worker if len(killed) % 2 else worker.parent()
                    victim.kill()
                    killed.append(victim.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        FleetEngine(fleet, ledger, RunChoice(force=True)).perform()
    finally:
        over.set()
        killer.join()
    assert not waiting
    assert len(killed) >= len(list(strikes.iterdir())) / 2  # a lane takes its other process along
    first, second = (
        run.store.get(run.path("gathered/rows.csv")) for run in (ledger_at(tmp_path, run="undisturbed"), ledger)
    )
    assert first == second
    assert len(first.splitlines()) == 61


@pytest.mark.slow
def test_an_engine_that_was_cut_off_goes_on_and_begins_nothing_again(tmp_path):
    raw = "tenant,x\n" + "".join(f"{tenant},1\n" for tenant in range(8))
    fleet = fleet_from(tmp_path, code=SLEEP, raw=raw, limits={"parallel": 1})
    ledger = ledger_at(tmp_path)

    def cut(progress):
        if progress.accounts.batches_done >= 2:
            raise Stopped(signal.SIGINT)

    with pytest.raises(Stopped):
        FleetEngine(fleet, ledger, look=cut).perform()
    assert FleetReader(ledger).read().failure == "stopped by SIGINT"
    before = {result.batch: result for result in results(ledger)}
    assert 2 <= len(before) < 8
    FleetEngine(fleet, ledger).perform()
    assert all(result_of(ledger, name) == result for name, result in before.items())
    assert len(table(ledger)) == 8
