"""Airflow's parts on one machine are kept running."""

import signal
import subprocess
import sys

import pytest

from windtunnel_airflow import standalone

ENDS = [sys.executable, "-c", "raise SystemExit(3)"]


@pytest.fixture
def started(monkeypatch):
    """What was started of Airflow: processes that end at once."""
    processes = []

    def start(*_command, **_options):
        processes.append(subprocess.Popen(ENDS))
        return processes[-1]

    monkeypatch.setattr(standalone, "_airflow", start)
    return processes


def test_a_part_that_ends_after_a_while_is_started_again(started, monkeypatch, capsys):
    monkeypatch.setattr(standalone, "_LASTING", 0.0)
    part = standalone.Part("scheduler")
    started[0].wait()
    assert part.runs() and len(started) == 2
    started[1].wait()
    assert capsys.readouterr().err == "Ended by itself (3): scheduler\n"


def test_a_part_that_does_not_begin_is_given_up(started, monkeypatch):
    monkeypatch.setattr(standalone, "_LASTING", float("inf"))
    part = standalone.Part("scheduler")
    started[0].wait()
    assert not part.runs() and len(started) == 1


def test_all_end_with_a_part_that_does_not_begin(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process keeps its own handlers
    monkeypatch.setattr(standalone, "_airflow", lambda *command, **_options: _migrated(*command))
    assert standalone.main() == 1


def _migrated(*command):
    return subprocess.Popen(ENDS if command[0] != "db" else [sys.executable, "-c", "pass"])
