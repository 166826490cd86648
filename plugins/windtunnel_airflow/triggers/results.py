"""Waiting for a stage's results in Airflow's triggerer."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from windtunnel.errors import WindtunnelError
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger
from windtunnel.waiting import Watch
from windtunnel_airflow.cluster import use_cluster_async

_SHORTEST, _LONGEST, _SHARE = 0.2, 10.0, 0.05  # seconds between polls, and the share of the wait that one may add


class ResultsTrigger(BaseTrigger):
    """Polls a stage until its results are in: one listing of live jobs and one of results a poll.

    What it remembers between polls may be lost: after a restart of the triggerer a job that is gone is noticed one poll
    later, and that is all.
    """

    def __init__(self, ledger: str, launcher: str, stage: str) -> None:
        """Wait for a stage of a run.

        Args:
            ledger: URL of the run's ledger.
            launcher: name of the launcher that its jobs were launched with.
            stage: an iteration's number, `full-<k>`, `verify-<k>` or `prepare`.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.ledger = ledger
        self.launcher = launcher
        self.stage = stage

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The trigger as Airflow keeps it."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return name, {"ledger": self.ledger, "launcher": self.launcher, "stage": self.stage}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: the `message` of the finished wait, or the `error` that makes waiting senseless."""
        began = time.monotonic()
        try:
            await use_cluster_async()
            watch = await asyncio.to_thread(self.watch)
            while not (progress := await asyncio.to_thread(watch.poll)).done:
                await asyncio.sleep(pause(time.monotonic() - began))
        except WindtunnelError as error:
            yield TriggerEvent({"error": str(error)})  # type: ignore[no-untyped-call]
        else:
            yield TriggerEvent({"message": progress.message})  # type: ignore[no-untyped-call]

    def watch(self) -> Watch:
        """The core's watch over the stage."""
        return Watch(Ledger.open(self.ledger), get_launcher(self.launcher), self.stage)


def pause(waited: float) -> float:
    """Seconds until the next poll: short after a short wait, and never adding more than 5 % to a long one."""
    return min(_LONGEST, max(_SHORTEST, _SHARE * waited))
