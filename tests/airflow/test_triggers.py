"""Waiting in the triggerer while the store is full, away or busy."""

import asyncio
import logging

from windtunnel.errors import UnavailableError
from windtunnel.launchers.monitor import Progress
from windtunnel_airflow.triggers import results
from windtunnel_airflow.triggers.results import ResultsTrigger


class StageMonitor:
    """Fails as often as it is told to, and is done then."""

    def __init__(self, failures):
        self.failures = failures

    def poll(self):
        if self.failures:
            self.failures -= 1
            raise UnavailableError("the disk is full; free some space")
        return Progress(True, "1 of 1 results in, 0 jobs live")


def test_a_store_that_is_full_is_told_once_and_waited_for(monkeypatch, caplog, home):
    trigger = ResultsTrigger("/runs/search/run", "0" * 64, "1")
    monkeypatch.setattr(trigger, "poller", lambda credentials=None: monitor.poll)
    monitor, slept = StageMonitor(9), []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(results.asyncio, "sleep", sleep)
    monkeypatch.setattr(ResultsTrigger, "log", logging.getLogger("tests.trigger"))
    with caplog.at_level(logging.INFO, "tests.trigger"):
        assert asyncio.run(trigger._wait()).done
    assert len(slept) == 9 and max(slept) <= 30  # it is gone on with within half a minute
    told = [record.getMessage() for record in caplog.records]
    assert sum("the disk is full; free some space" in line for line in told) == 1
    assert told[1:] == ["the store answers again", "1 of 1 results in, 0 jobs live"]
