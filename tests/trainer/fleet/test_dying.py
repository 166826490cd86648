"""Whatever dies between two writes of a fleet, the same command finishes: shown for every write of a run."""

import math
import shutil
import sys
from itertools import count
from pathlib import Path

import pytest

from tests.dying import DiesOnce, Fate, Killed, mortal
from tests.fleets import RAW, fleet_from
from windtunnel import launchers
from windtunnel.definition import fleet_of
from windtunnel.engine.fleet import FleetEngine
from windtunnel.fleet.beginning import EVALUATION
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import batch_name, has_ended, read_plan
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.ledger import Ledger
from windtunnel.ledger.queue import owed
from windtunnel.report import write_report
from windtunnel.stores import open_store
from windtunnel_trainer.fleet.evaluation import run_evaluation
from windtunnel_trainer.fleet.worker import Worker

ENTRY = """
def run(mini_batch):
    return [{"size": len(open(path).read())} for path in mini_batch]
def evaluate(table):
    return {"rows": len(table.rows())}
"""
SAME = ("gathered/rows.csv", "gathered/MLTable", "gathered/leaderboard.csv", "published.json", "report.txt")


class AtOnce(Launcher):
    """Does what a job has to do as it is launched, in this process: its death is that of all."""

    def launch(self, ledger, job):
        if not owed(ledger, job):
            return
        number = ledger.begin_launch(job.job, "here", "2026-01-01T00:00:00+00:00").number
        if job.job == EVALUATION:
            run_evaluation(ledger)
            return
        fleet, plan = fleet_of(ledger), read_plan(ledger)
        worker = Worker(
            ledger, fleet, Partitions.read(ledger), Path(ledger.store.folder) / "work", {"lane": job.job, "slot": 0}
        )
        worker.load(Path(fleet.entry_script))
        queue = Queue(ledger, plan, job, 2, number)
        while (claimed := queue.next()) is not None:
            assert not has_ended(ledger, batch_name(claimed.number))
            worker.do(claimed.number, list(plan.batches[claimed.number]), 1, last=True)

    def live(self, ledger):
        return set()

    def may_relaunch(self, ledger, job):
        return True

    def failure_reason(self, ledger, job):
        return JobFailure("gone", "gone")

    def cancel(self, ledger, jobs=None):
        pass


def perform(store, fleet, run, fate):
    """Give the command again until it comes to its end."""
    ledger = Ledger(open_store(store), "toy", run)
    for tries in count(1):
        fate.begin(str(tries))
        try:
            FleetEngine(fleet, ledger, sleep=lambda seconds: None).perform()
            return write_report(ledger)
        except Killed:
            assert tries < 3
    return None


def brought(store):
    ledger = Ledger(open_store(store), "toy", "second")
    return {name: ledger.store.get(ledger.path(name)) for name in SAME}


@pytest.mark.long
def test_a_run_that_dies_at_any_write_is_finished_by_the_same_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["here"])
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setitem(launchers._LAUNCHERS, "local", f"{__name__}:AtOnce")
    monkeypatch.setattr("windtunnel.ledger.writer._PATIENCE", 5.0)  # one look
    monkeypatch.setattr("windtunnel.fleet.monitor.BEAT", math.inf)  # or a slow machine would write more often
    perform(
        str(tmp_path / "before"), fleet_from(tmp_path, code=ENTRY, raw=RAW, limits={"parallel": 2}), "first", Fate()
    )
    fleet = fleet_from(tmp_path, code=ENTRY, raw=RAW + "2,south,22\n3,north,31\n", limits={"parallel": 2})
    shutil.copytree(tmp_path / "before", tmp_path / "undisturbed")
    with mortal(Fate()) as fate:
        perform(str(tmp_path / "undisturbed"), fleet, "second", fate)
    expected = brought(str(tmp_path / "undisturbed"))
    assert b"1 taken over" in expected["report.txt"]
    for n in range(1, len(fate.writes) + 1):
        for when in ("before", "after"):
            store = str(tmp_path / f"{n}-{when}")
            shutil.copytree(tmp_path / "before", store)
            with mortal(DiesOnce(n, when)) as struck:
                perform(store, fleet, "second", struck)
            assert struck.deaths == 1, f"{len(struck.writes)} writes, not {len(fate.writes)}"
            assert brought(store) == expected, f"killed {when} {struck.writes[n - 1]}"
