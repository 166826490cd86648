"""The gathered table: all rows with their keys, in the order of the partitions, whatever the order of completion."""

import random

import pytest
import yaml

from tests.fleets import fall_short, fleet_from, prepared, succeed, table
from windtunnel.errors import StoreError
from windtunnel.fleet.beginning import lanes
from windtunnel.fleet.gathering import gather, standings
from windtunnel.fleet.planning import RunChoice
from windtunnel.fleet.records import BatchResult, Outcome, batch_name, record
from windtunnel.ledger import State, writer
from windtunnel.report import write_report


def gathered(tmp_path, order, name, **fields):
    fleet = fleet_from(tmp_path, **fields)
    ledger, partitions, plan = prepared(tmp_path, fleet, name, RunChoice(force=True))
    for number in order:
        succeed(ledger, plan, number, score=float(number % 3))
    return ledger, gather(ledger, fleet, plan, partitions)


def test_the_table_is_the_same_whatever_ended_first(tmp_path):
    raw = "tenant,a\n" + "".join(f"{tenant},1\n" for tenant in range(40))
    tables = set()
    for seed in range(3):
        order = list(range(40))
        random.Random(seed).shuffle(order)
        ledger, done = gathered(tmp_path, order, f"run-{seed}", raw=raw)
        assert done["rows"] == 40
        tables.add(ledger.store.get(ledger.path("gathered/rows.csv")))
    (content,) = tables
    assert content.decode().splitlines()[:3] == ["tenant,batch,place", "0,0,0", "1,1,1"]


def test_it_is_written_once(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, partitions, plan = prepared(tmp_path, fleet)
    succeed(ledger, plan, 0)
    first = gather(ledger, fleet, plan, partitions)
    succeed(ledger, plan, 1)
    assert gather(ledger, fleet, plan, partitions) == first
    assert len(table(ledger)) == 1


def test_what_was_taken_over_stands_among_the_rest(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, partitions, plan = prepared(tmp_path, fleet, "a")
    lanes(ledger, fleet, plan)
    for number in range(3):
        succeed(ledger, plan, number, score=5.0)
    ledger, partitions, plan = prepared(tmp_path, fleet, "b", RunChoice(partitions=["tenant_2"], force=True))
    succeed(ledger, plan, 0, score=9.0)
    fleet = fleet.model_copy(update={"objectives": {"score": "maximize"}})
    gather(ledger, fleet, plan, partitions)
    assert [(row["tenant"], row["batch"]) for row in table(ledger)] == [("1", "0"), ("2", "0"), ("3", "2")]
    board = table(ledger, "gathered/leaderboard.csv")
    assert [(row["tenant"], row["state"], row["source"], row["score"]) for row in board] == [
        ("2", "completed", "", "9.0"),
        ("1", "taken", "a", "5.0"),
        ("3", "taken", "a", "5.0"),
    ]


def test_outputs_of_what_was_taken_over_are_brought_along(tmp_path):
    fleet = fleet_from(tmp_path, gather={"outputs": {"predictions": ""}})
    ledger, partitions, plan = prepared(tmp_path, fleet, "a")
    lanes(ledger, fleet, plan)
    ledger.store.put(ledger.path("outputs/predictions/1.csv"), b"x\n")
    outcome = Outcome(state=State.COMPLETED, files=("outputs/predictions/1.csv",))
    record(ledger, BatchResult(batch=batch_name(0), state=State.COMPLETED, items=1, succeeded=1, outcomes=(outcome,)))
    ledger, partitions, plan = prepared(tmp_path, fleet, "b")
    assert plan.taken == (0,)
    gather(ledger, fleet, plan, partitions)
    assert ledger.store.get(ledger.path("outputs/predictions/1.csv")) == b"x\n"
    mltable = yaml.safe_load(ledger.store.get(ledger.path("outputs/predictions/MLTable")))
    assert mltable["paths"] == [{"file": "./1.csv"}]


def test_what_stands_in_the_place_of_an_output_is_told_of(tmp_path):
    fleet = fleet_from(tmp_path, gather={"outputs": {"predictions": ""}})
    ledger, partitions, plan = prepared(tmp_path, fleet, "a")
    lanes(ledger, fleet, plan)
    for number, name in enumerate(("kept", "deleted")):
        path = f"outputs/predictions/{name}.csv"
        ledger.store.put(ledger.path(path), b"x\n")
        outcome = Outcome(state=State.COMPLETED, files=(path,))
        facts = {"items": 1, "succeeded": 1, "outcomes": (outcome,)}
        record(ledger, BatchResult(batch=batch_name(number), state=State.COMPLETED, **facts))
    ledger.store.local_file(ledger.path("outputs/predictions/deleted.csv")).unlink()
    ledger, partitions, plan = prepared(tmp_path, fleet, "b")
    in_the_way = ledger.store.local_file(ledger.path("outputs"))
    in_the_way.write_text("not a folder")
    with pytest.raises(StoreError, match="outputs"):
        gather(ledger, fleet, plan, partitions)
    in_the_way.unlink()
    gather(ledger, fleet, plan, partitions)
    assert ledger.store.get(ledger.path("outputs/predictions/kept.csv")) == b"x\n"


def test_an_output_with_a_place_of_its_own_has_an_mltable_there(tmp_path):
    place = tmp_path / "made" / "predictions"
    fleet = fleet_from(tmp_path, gather={"outputs": {"predictions": str(place)}})
    ledger, partitions, plan = prepared(tmp_path, fleet)
    (place / "north").mkdir(parents=True)
    (place / "north" / "1.csv").write_text("x\n1\n")
    gather(ledger, fleet, plan, partitions)
    mltable = yaml.safe_load((place / "MLTable").read_text())
    assert mltable["paths"] == [{"file": "./north/1.csv"}]
    assert "read_delimited" in mltable["transformations"][0]


def test_the_report_says_where_each_mini_batch_ran_and_why_it_failed(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, partitions, plan = prepared(tmp_path, fleet)
    succeed(ledger, plan, 0)
    fall_short(ledger, plan, 1)
    gather(ledger, fleet, plan, partitions)
    rows = table(ledger, "gathered/batches.csv")
    assert [(row["partitions"], row["result"], row["attempts"], row["error"]) for row in rows] == [
        ("tenant_1.csv", "succeeded", "1", ""),
        ("tenant_2.csv", "failed", "3", "short"),
    ]
    assert sorted((one.place, one.state) for one in standings(ledger, plan)) == [
        (0, "completed"),
        (1, "failed"),
        (2, "open"),
    ]


def test_one_log_has_the_lines_of_all_lanes_in_the_order_of_time(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, partitions, plan = prepared(tmp_path, fleet)
    logs = {
        "lane-1-0.1": b"2026-01-01 a\n2026-01-03 c\n",
        "lane-1-1.1": b"2026-01-02 b\n",
        "lane-1-0-0.1": b"not this\n",
    }
    for name, content in logs.items():
        ledger.store.put(ledger.path(f"logs/{name}.log"), content)
    gather(ledger, fleet, plan, partitions)
    assert ledger.store.get(ledger.path("gathered/log.txt")) == b"2026-01-01 a\n2026-01-02 b\n2026-01-03 c\n"
    late = b"2026-01-02 b\n2026-01-04 d\n"  # it came after the last result
    ledger.store.put(ledger.path("logs/lane-1-1.1.log"), late)
    write_report(ledger)
    assert ledger.store.get(ledger.path("gathered/log.txt")).endswith(b"2026-01-03 c\n2026-01-04 d\n")


def test_the_heart_of_the_run_beats_between_the_files_that_are_gathered(tmp_path, monkeypatch):
    fleet = fleet_from(tmp_path, gather={"outputs": {"predictions": ""}})
    ledger, partitions, plan = prepared(tmp_path, fleet, "a")
    lanes(ledger, fleet, plan)
    path = "outputs/predictions/1.csv"
    ledger.store.put(ledger.path(path), b"x\n")
    outcome = Outcome(state=State.COMPLETED, files=(path,))
    record(ledger, BatchResult(batch=batch_name(0), state=State.COMPLETED, items=1, succeeded=1, outcomes=(outcome,)))
    ledger, partitions, plan = prepared(tmp_path, fleet, "b")
    succeed(ledger, plan, 0)
    ledger.store.put(ledger.path("logs/lane-1-0.1.log"), b"2026-01-01 a\n2026-01-03 c\n")
    monkeypatch.setattr(writer, "BEAT", 0.0)  # always due
    beats = []
    monkeypatch.setattr(writer.Turn, "beat", lambda turn: beats.append(turn))
    gather(ledger, fleet, plan, partitions)
    partitions, copied, result, lines = 3, 1, 1, 2
    assert len(beats) == partitions + copied + 2 * result + lines
    write_report(ledger)  # as anyone may, whoever is at work
    assert len(beats) == partitions + copied + 2 * result + lines


def test_the_tables_mltable_reads_it(tmp_path):
    ledger, _ = gathered(tmp_path, [0, 1, 2], "run")
    mltable = yaml.safe_load(ledger.store.get(ledger.path("gathered/MLTable")))
    assert mltable["paths"] == [{"file": "./rows.csv"}]
    assert mltable["transformations"][0]["read_delimited"]["delimiter"] == ","
