"""Waiting for a stage's results in Airflow's triggerer."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from windtunnel.definition import definition_of
from windtunnel.errors import StoreError, UnavailableError, WindtunnelError
from windtunnel.launchers import get_launcher
from windtunnel.launchers.monitor import Progress, StageMonitor
from windtunnel.ledger import Ledger
from windtunnel.stores.credentials import Credentials
from windtunnel_airflow.cluster import use_cluster_async
from windtunnel_airflow.connection import connection_credentials_async

_SHORTEST, _LONGEST, _SHARE = 0.2, 10.0, 0.05  # seconds between polls, and the share of the wait that one may add
_REST = 4.0  # times as long as a poll takes its pause lasts at least
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0  # seconds until a store that did not answer is asked again


class ResultsTrigger(BaseTrigger):
    """Polls a stage until its results are in, or jobs are to be launched again: a poll is three listings at most.

    What it remembers between polls may be lost: after a restart of the triggerer a job that is gone is noticed one poll
    later, and that is all. A store that is busy, silent or away is asked again after ever longer pauses, for as long as
    it takes.
    """

    def __init__(self, ledger: str, digest: str, stage: str, session: int = 0) -> None:
        """Wait for a stage of a run.

        Args:
            ledger: URL of the run's ledger.
            digest: of what the run was begun with.
            stage: an iteration's number, `full-<k>`, `verify-<k>` or `prepare`.
            session: number of the run's session that waits; waiting ends where a later one begins.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.ledger = ledger
        self.digest = digest
        self.stage = stage
        self.session = session

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The trigger as Airflow keeps it."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        fields = {"ledger": self.ledger, "digest": self.digest, "stage": self.stage, "session": self.session}
        return name, fields

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event.

        It has the `message` of the wait and the jobs `wanted`, none where it is finished, or the `error` that makes
        waiting senseless.
        """
        try:
            await use_cluster_async()
            progress = await self._wait()
        except WindtunnelError as error:
            yield TriggerEvent({"error": str(error)})  # type: ignore[no-untyped-call]
        else:
            wanted = [job.job for job in progress.wanted]
            yield TriggerEvent({"message": progress.message, "wanted": wanted})  # type: ignore[no-untyped-call]

    def poller(self, credentials: Credentials | None = None) -> Callable[[], Progress]:
        """What looks once at the stage, each time that it is called; new."""
        ledger = Ledger.open(self.ledger, credentials).with_spec(self.digest).with_session(self.session)
        return StageMonitor(ledger, get_launcher(definition_of(ledger).launcher), self.stage).poll

    async def _wait(self) -> Progress:
        began = time.monotonic()
        poll: Callable[[], Progress] | None = None
        proven, logged, delay, waiting = False, "", _FIRST_DELAY, False
        while True:
            try:
                if poll is None:
                    poll = await asyncio.to_thread(self.poller, await self._credentials())
                polled = time.monotonic()
                progress = await asyncio.to_thread(poll)
            except UnavailableError as error:
                if not waiting:
                    self.log.warning("waiting for the store, which is asked again and again: %s", error)
                waiting = True
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY)
                continue
            except StoreError:
                if not proven:
                    raise
                poll, proven = None, False  # it worked before: the connection may have new credentials by now
                continue
            if waiting:
                self.log.info("the store answers again")
            proven, delay, waiting = True, _FIRST_DELAY, False
            if progress.message != logged:
                logged = progress.message
                self.log.info(logged)
            if progress.done or progress.wanted:
                return progress
            moment = time.monotonic()
            await asyncio.sleep(pause(moment - began, moment - polled))

    async def _credentials(self) -> Credentials | None:
        return await connection_credentials_async() if self.ledger.startswith("azure://") else None


def pause(waited: float, took: float = 0.0) -> float:
    """Seconds until the next poll: short after a short wait, and never adding more than 5 % to a long one.

    Args:
        waited: seconds, so far.
        took: seconds of the last poll; with thousands of results it is long, and polls less often.
    """
    return min(_LONGEST, max(_SHORTEST, _SHARE * waited, _REST * took))
