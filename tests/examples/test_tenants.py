"""Fleets as examples: the tenants, with a real model and a real metric each; and a thousand made-up partitions."""

import csv
from pathlib import Path

import pytest

from tests.fleets import fleet_from, table
from tests.installed import ROOT
from windtunnel.definition import load_fleet
from windtunnel.engine.fleet import FleetEngine
from windtunnel.fleet.gathering import gathered
from windtunnel.ledger import Ledger

TENANTS = ROOT / "include" / "searches" / "tenants.yaml"


def perform(fleet, folder):
    """The run's ledger, and what it has published."""
    ledger = Ledger.open(f"{folder}/runs/{fleet.name}/run")
    return ledger, FleetEngine(fleet, ledger).perform()


@pytest.mark.slow
def test_every_tenant_gets_a_verified_model_and_a_metric(tmp_path, monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    ledger, published = perform(load_fleet(TENANTS), tmp_path)
    assert published["accounts"]["partitions_done"] == 12
    assert published["accounts"]["partitions_failed"] == 0
    board = table(ledger, "gathered/leaderboard.csv")
    errors = [float(row["error"]) for row in board]
    assert errors == sorted(errors) and len(errors) == 12
    assert all(float(row["max_logit_diff"]) < 1e-3 for row in board)
    assert sum(float(row["error"]) < float(row["error_of_mean"]) for row in board) > 6
    rows = table(ledger, "gathered/predictions.csv")
    assert [row["tenant_id"] for row in rows] == [str(tenant) for tenant in range(1, 13) for _ in range(12)]
    found = sum(abs(float(row["metric"]) - float(row["prediction"])) for row in rows) / len(rows)
    assert published["evaluation"]["error"] == pytest.approx(found, abs=1e-5)


def test_the_data_is_a_folders_where_one_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_DATA", str(tmp_path))
    assert load_fleet(TENANTS).data == str(tmp_path / "tenants/raw_data.csv")
    monkeypatch.delenv("WINDTUNNEL_DATA")
    with Path(load_fleet(TENANTS).data).open(newline="") as file:
        assert len({row["tenant_id"] for row in csv.DictReader(file)}) == 12


@pytest.mark.slow
def test_a_thousand_partitions(tmp_path):
    raw = "tenant,sales\n" + "".join(f"{tenant},{tenant % 7}\n{tenant},{tenant % 11}\n" for tenant in range(1000))
    code = (
        "def run(mini_batch):\n"
        "    return [{'sales': sum(int(line.split(',')[1]) for line in open(path).readlines()[1:])}"
        " for path in mini_batch]\n"
    )
    fleet = fleet_from(tmp_path / "made", raw=raw, code=code, mini_batch_size=10, limits={"parallel": 2, "slots": 1})
    ledger, published = perform(fleet, tmp_path)
    assert published["accounts"]["partitions_done"] == 1000
    assert gathered(ledger)["rows"] == 1000
    rows = table(ledger)
    assert [(row["tenant"], row["sales"]) for row in rows] == [
        (str(tenant), str(tenant % 7 + tenant % 11)) for tenant in range(1000)
    ]
