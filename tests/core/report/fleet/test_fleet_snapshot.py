"""One snapshot of a fleet's run feeds the commands, the report and the page; it stays small with many partitions."""

import csv
import io
import json
import os
import time
from dataclasses import replace

import pytest

from tests.fleets import fall_short, fleet_from, prepared, succeed
from windtunnel.cli import main
from windtunnel.fleet.beginning import lanes
from windtunnel.fleet.gathering import gather
from windtunnel.fleet.partitions import Partition, Partitions
from windtunnel.fleet.planning import RunChoice
from windtunnel.fleet.publishing import publish
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import BatchResult, Outcome, batch_name, record
from windtunnel.ledger import Ledger, State
from windtunnel.report import FleetReader, write_report
from windtunnel.report.fleet import payloads


@pytest.fixture
def run(tmp_path):
    """A run of three tenants: one trained, one failed, one open."""
    fleet = fleet_from(tmp_path, objectives={"accuracy": "maximize"})
    ledger, partitions, plan = prepared(tmp_path, fleet)
    succeed(ledger, plan, 0, accuracy=0.75)
    fall_short(ledger, plan, 1)
    return fleet, ledger, partitions, plan


def said(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_status_shows_every_partition_and_how_far_the_run_is(run, capsys):
    fleet, ledger, _, plan = run
    head, counts, names, *rows, why = said(capsys, "status", ledger.url).splitlines()
    assert head == f"toy  {ledger.url}"
    assert counts == "1 of 3 partitions trained, 1 failed, 1 mini-batch retried"
    assert names.split() == ["partition", "state", "accuracy", "time", "why"]
    assert [row.split()[:2] for row in rows] == [
        ["tenant_1.csv", "completed"],
        ["tenant_2.csv", "failed"],
        ["tenant_3.csv", "open"],
    ]
    assert why == "failed: 1 time short"
    succeed(ledger, plan, 2, accuracy=0.5)
    publish(ledger, fleet, plan)
    assert said(capsys, "status", ledger.url, "--follow").splitlines()[-1].endswith("1 mini-batch retried · finished")


def test_status_says_what_runs_and_what_is_left_to_do(run, capsys):
    fleet, ledger, _, plan = run
    assert Queue(ledger, plan, lanes(ledger, fleet, plan)[0], 1, 1).next().number == 2
    assert "1 mini-batch retried, 1 running" in said(capsys, "status", ledger.url).splitlines()[1]
    succeed(ledger, plan, 2, accuracy=0.5)
    assert "retried, to be gathered and evaluated" in said(capsys, "status", ledger.url).splitlines()[1]
    publish(ledger, fleet, plan)
    assert "to be gathered" not in said(capsys, "status", ledger.url)


def test_status_says_that_a_run_was_stopped_or_that_nothing_was_heard_of_it(run, capsys):
    fleet, ledger, _, plan = run
    Queue(ledger, plan, lanes(ledger, fleet, plan)[0], 1, 1).next()
    beat = ledger.path("beats/1.json")
    ledger.store.put(beat, b"{}")
    assert "nothing was heard" not in said(capsys, "status", ledger.url)
    os.utime(ledger.store.local_file(beat), (0, time.time() - 600))
    assert "nothing was heard of it for 10 min, since " in said(capsys, "status", ledger.url)
    ledger.end("session", "somebody pressed Ctrl-C")
    stopped = said(capsys, "status", ledger.url, "--follow")
    assert stopped.splitlines()[-1].endswith("· failed: somebody pressed Ctrl-C")
    assert "running" not in stopped and "nothing was heard" not in stopped and " left" not in stopped
    os.utime(ledger.store.local_file(beat), (0, time.time() + 1))  # a task of the same session goes on
    assert "1 running" in said(capsys, "status", ledger.url)


def test_nobody_asks_which_session_works_on_a_run_that_is_over(run, capsys, monkeypatch):
    fleet, ledger, _, plan = run
    ledger.end("session", "somebody pressed Ctrl-C")
    publish(ledger, fleet, plan)
    reader, read = FleetReader(ledger), []
    get = type(ledger.store).get_tagged
    monkeypatch.setattr(type(ledger.store), "get_tagged", lambda self, path: read.append(path) or get(self, path))
    reader.read()
    assert not [path for path in read if "writer.json" in path or "/ended/" in path]
    for name in ("writer.json", "ended/session.json"):
        ledger.store.put(ledger.path(name), b'{"sess')
    assert reader.read().at_work is None
    assert said(capsys, "status", ledger.url, "--follow").splitlines()[-1].endswith("finished")
    write_report(Ledger.open(ledger.url))


def test_fetch_brings_what_was_gathered_or_what_partitions_have_saved(run, capsys, tmp_path):
    fleet, ledger, partitions, plan = run
    outcome = Outcome(state=State.COMPLETED, files=("model.onnx", "outputs/kept/3.csv", "../../up"))
    record(ledger, BatchResult(batch=batch_name(2), state=State.COMPLETED, items=1, outcomes=(outcome,)))
    for path in (ledger.trial_path("p000002", "model.onnx"), ledger.path("outputs/kept/3.csv")):
        ledger.store.put(path, b"content")
    gather(ledger, fleet, plan, partitions)
    write_report(ledger)

    def fetched(*arguments):
        to = tmp_path / f"to-{len(list(tmp_path.iterdir()))}"
        assert main(["fetch", *arguments, "--to", str(to)]) == 0
        return {str(file.relative_to(to)) for file in to.rglob("*") if file.is_file()}, capsys.readouterr().err

    gathered = {f"gathered/{name}" for name in ("MLTable", "batches.csv", "done.json", "log.txt", "rows.csv")}
    files, missing = fetched(ledger.url)
    assert files == gathered | {"gathered/leaderboard.csv", "outputs/kept/3.csv", "report.html", "report.txt"}
    assert missing == "not there yet: published.json\n"
    saved = {"partitions/tenant_3.csv/model.onnx", "partitions/tenant_3.csv/outputs/kept/3.csv"}
    assert fetched(ledger.url, "--partition", "tenant=3") == (saved, "")
    assert main(["fetch", ledger.url, "--partition", "tenant_9"]) == 1
    assert "tenant_9: no such partition (did you mean" in capsys.readouterr().err
    assert main(["fetch", ledger.url, "--checkpoints"]) == 1
    assert "--checkpoints" in capsys.readouterr().err
    again, _, _ = prepared(tmp_path, fleet, "again")  # which takes it over
    files, missing = fetched(again.url, "--partition", "*")
    assert files == {"partitions/tenant_3.csv/model.onnx"}
    assert missing == "not there yet: partitions/tenant_3.csv/outputs/kept/3.csv\n"  # it is brought along later


def test_results_has_a_line_for_each_partition_with_its_keys(run, capsys):
    _, ledger, _, _ = run
    rows = list(csv.DictReader(io.StringIO(said(capsys, "results", "--csv", ledger.url))))
    assert [(row["partition"], row["keys.tenant"], row["state"], row["metrics.accuracy"]) for row in rows] == [
        ("tenant_1.csv", "1", "completed", "0.75"),
        ("tenant_2.csv", "2", "failed", ""),
        ("tenant_3.csv", "3", "open", ""),
    ]
    shown = json.loads(said(capsys, "results", "--json", ledger.url))
    assert shown["objectives"] == {"accuracy": "maximize"}
    assert shown["partitions"][1]["message"] == "short"


def test_the_report_holds_the_page_and_all_its_data(run):
    _, ledger, _, _ = run
    write_report(ledger)
    page = ledger.store.get(ledger.path("report.html")).decode()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["fleet"]["counts"] == {"completed": 1, "failed": 1, "open": 1, "running": 0, "skipped": 0, "taken": 0}
    assert data["partitions"][0]["names"] == ["tenant_1.csv", "tenant_2.csv", "tenant_3.csv"]


def test_a_later_reading_has_what_is_new_and_reads_nothing_twice(run, monkeypatch):
    fleet, ledger, _, plan = run
    reader = FleetReader(ledger)
    first = reader.read()
    assert first.version == reader.read().version
    read = []
    monkeypatch.setattr("windtunnel.fleet.records._listed", lambda metadata: read.append(metadata))
    assert Queue(ledger, plan, lanes(ledger, fleet, plan)[0], 1, 1).next().number == 2
    running = reader.read()
    assert running.states[2] == "running" and running.version != first.version
    assert read == []
    succeed(ledger, plan, 2, accuracy=0.5)
    last = reader.read()
    assert (last.states[2], last.metrics["accuracy"], len(read)) == ("completed", [0.75, None, 0.5], 1)
    assert first.states[2] == "open"  # what was read is not changed


def test_what_was_taken_over_has_its_metrics_and_names_its_run(run, tmp_path):
    fleet, ledger, _, plan = run
    lanes(ledger, fleet, plan)
    again, _, plan = prepared(tmp_path, fleet, "again")
    snapshot = FleetReader(again).read()
    assert snapshot.states == ["taken", "open", "open"]
    assert (snapshot.sources, snapshot.metrics_of(0)) == ({0: "run"}, {"accuracy": 0.75})


def test_a_partition_has_its_mini_batch_its_logs_and_its_files(run):
    _, ledger, _, _ = run
    outcome = Outcome(state=State.COMPLETED, files=("note.txt", "outputs/kept/3.csv"))
    facts = {"lane": "lane-1", "slot": 0, "process": 77, "log_tail": "the end"}
    record(ledger, BatchResult(batch=batch_name(2), state=State.COMPLETED, items=1, outcomes=(outcome,), **facts))
    for log in ("lane-1-0.1", "lane-1.1", "lane-2-0.1"):
        ledger.store.put(ledger.path(f"logs/{log}.log"), b"x\n")
    snapshot = FleetReader(ledger).read()
    shown = payloads.partition(snapshot, ledger, 2)
    assert shown["logs"] == ["logs/lane-1-0.1.log"]
    assert (shown["batch"]["process"], shown["batch"]["log_tail"], shown["rows"]) == (77, "the end", 1)
    assert payloads.saved_file(snapshot, ledger, 2, "note.txt") == ledger.trial_path("p000002", "note.txt")
    assert payloads.saved_file(snapshot, ledger, 2, "outputs/kept/3.csv") == ledger.path("outputs/kept/3.csv")
    assert payloads.saved_file(snapshot, ledger, 2, "../plan.json") is None


def test_files_are_what_belongs_to_all_partitions(run):
    fleet, ledger, partitions, plan = run
    gather(ledger, fleet, plan, partitions)
    ledger.store.put(ledger.path("samples/lane-0.1.csv"), b"moment\n")
    found = payloads.files(ledger)
    assert {"gathered/leaderboard.csv", "gathered/batches.csv", "gathered/rows.csv", "samples/lane-0.1.csv"} <= {*found}
    assert not [name for name in found if name.startswith(("plan", "results", "claims", "trials"))]


@pytest.fixture
def two(run, tmp_path):
    """The snapshots of two runs: of an earlier one and of a later one."""
    fleet, ledger, _, plan = run
    succeed(ledger, plan, 2, accuracy=0.5)
    later, _, plan = prepared(tmp_path, fleet, "later", RunChoice(force=True))
    for number, accuracy in enumerate((0.5, 0.9, 0.5)):
        succeed(later, plan, number, accuracy=accuracy)
    return FleetReader(ledger).read(), FleetReader(later).read()


def test_a_comparison_tells_what_became_better_worse_and_failed_no_more(two):
    earlier, later = two
    found = payloads.compare(later, earlier)
    assert found["metrics"]["accuracy"] == {
        "direction": "maximize",
        "better": 0,
        "worse": 1,
        "same": 1,
        "changed": [["tenant_1.csv", 0.75, 0.5, -0.25]],
    }
    assert found["states"] == [["tenant_2.csv", "failed", "completed"]]
    smaller = replace(later, definition={"objectives": {"accuracy": "minimize"}})
    assert payloads.compare(smaller, earlier)["metrics"]["accuracy"]["better"] == 1


@pytest.mark.parametrize("count", [1000, 20_000])
def test_an_overview_is_small_however_many_partitions_there_are(two, count):
    _, later = two
    places = range(count)
    many = replace(
        later,
        partitions=Partitions(["tenant"], (Partition(f"tenant_{n}.csv", (str(n),), f"{n:064x}", 3) for n in places)),
        states=["failed"] * count,
        metrics={"accuracy": [0.123456789] * count},
        seconds=[0.123456] * count,
        messages={n: f"row {n} of {chr(97 + n % 26) * 700} is empty" for n in places},
    )
    overview = payloads.overview(many)
    assert len(json.dumps(overview)) < 40_000
    assert sum(cause["count"] for cause in overview["causes"]) >= count * 20 // 27
    blocks = [payloads.block(many, number) for number in range(len(overview["blocks"]))]
    assert sum(len(block["names"]) for block in blocks) == count
    assert max(len(json.dumps(block)) for block in blocks) < 200_000
    changed = payloads.compare(many, replace(many, metrics={"accuracy": [0.2 * (n % 2) for n in places]}))
    assert len(changed["metrics"]["accuracy"]["changed"]) == 100
