"""Runs that pages look at, kept in memory: a page is answered from what was read, while changes are read beside it."""

import gzip
import json
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any, Generic, TypeVar

from cachetools import LRUCache, cached

from windtunnel.errors import WindtunnelError
from windtunnel.ledger import Decision, Ledger
from windtunnel.report import FleetReader, FleetSnapshot, RunReader, Snapshot, payloads
from windtunnel.stores import open_store
from windtunnel_airflow.connection import use_connection

_FRESH = 2.0  # seconds for which nothing is read again
_PATIENCE = 0.3  # seconds that a page waits for what is new, before it gets what was known
_KEPT = 24  # runs
T = TypeVar("T")
S = TypeVar("S", Snapshot, FleetSnapshot)

_pool = ThreadPoolExecutor(4, thread_name_prefix="windtunnel-page")


class RunCache(Generic[S]):
    """One run, a search's or a fleet's: its latest snapshot, and the payloads that were made of it."""

    def __init__(self, ledger: Ledger, read: Callable[[], S]) -> None:
        """Read nothing yet.

        Args:
            ledger: of the run.
            read: reads it.
        """
        self.ledger = ledger
        self.curves = payloads.Curves(ledger)
        self._read_run: Callable[[], S] = read
        self._lock = Lock()
        self._snapshot: S | None = None
        self._read_at = 0.0
        self._reading: Future[None] | None = None
        self._making: defaultdict[str, Lock] = defaultdict(Lock)
        self._made: dict[str, tuple[str, Any]] = {}

    def snapshot(self) -> S:
        """The run as it was at most some seconds ago; the first call reads it.

        Raises:
            WindtunnelError: the run has not begun, or the store cannot be reached, or could not when it was read last.
        """
        if self._snapshot is None:
            with self._making["snapshot"]:
                if self._snapshot is None:
                    self._read()
        elif self._stale():
            reading = self._read_beside()
            if wait([reading], _PATIENCE).done and reading.exception():
                self._reading = None  # this page reports the failure; the next one tries again
                reading.result()
        assert self._snapshot is not None
        return self._snapshot

    def as_it_ended(self, snapshot: Snapshot, state: str | None) -> Snapshot:
        """The snapshot with its DAG run in this state: at work if it is None, and else at work no more."""
        if not snapshot.works if state else snapshot.end is None:
            return snapshot
        end = None if state is None else Decision(what=state, reason=f"the DAG run ended as {state}")
        return self.made("ended", f"{snapshot.version} {state}", lambda: replace(snapshot, end=end))

    def made(self, name: str, version: str, make: Callable[[], T]) -> T:
        """What `make` returns; called once for each version, of which the last is kept."""
        with self._making[name]:
            kept = self._made.get(name)
            if kept is None or kept[0] != version:
                kept = self._made[name] = (version, make())
        made: T = kept[1]
        return made

    def overview(self, snapshot: Snapshot) -> dict[str, Any]:
        """The overview of a snapshot."""
        return self.made("overview", snapshot.version, lambda: payloads.overview(snapshot))

    def importance(self, snapshot: Snapshot) -> bytes:
        """The importance of parameters; what takes longest to make, most of all where Optuna is not imported yet."""
        return self.made("importance", snapshot.version, lambda: compressed(payloads.importance(snapshot)))

    def read_ahead(self) -> None:
        """Read the run before it is asked for."""
        if self._snapshot is not None:
            if self._stale():
                self._read_beside()
            return
        with suppress(WindtunnelError):  # the page that needs the run reports it
            self.snapshot()

    def think_ahead(self, snapshot: Snapshot) -> None:
        """Work the importance out before it is asked for; once, for a run under way changes every few seconds."""
        if "importance" not in self._made:
            self.importance(snapshot)

    def _stale(self) -> bool:
        return time.monotonic() - self._read_at > _FRESH

    def _read_beside(self) -> Future[None]:
        """The reading that is under way, or that failed when nobody waited for it any more; else a new one."""
        with self._lock:
            if self._reading is None or (self._reading.done() and not self._reading.exception()):
                self._reading = _pool.submit(self._read)
            return self._reading

    def _read(self) -> None:
        snapshot = self._read_run()
        if self._snapshot is None or snapshot.version != self._snapshot.version:
            self._snapshot = snapshot
        self._read_at = time.monotonic()


@cached(LRUCache(_KEPT), lock=Lock())
def run_cache(store: str, search: str, run: str) -> RunCache[Snapshot]:
    """What is kept of a run; of the runs looked at last, not of all.

    Args:
        store: URL of the store that holds its ledger.
        search: the search's name.
        run: the run's name.
    """
    use_connection()
    ledger = Ledger(open_store(store), search, run)
    return RunCache(ledger, RunReader(ledger).read)


@cached(LRUCache(_KEPT), lock=Lock())
def fleet_cache(store: str, fleet: str, run: str) -> RunCache[FleetSnapshot]:
    """What is kept of a fleet's run, as `run_cache` has it."""
    use_connection()
    ledger = Ledger(open_store(store), fleet, run)
    return RunCache(ledger, FleetReader(ledger).read)


def compressed(payload: Any) -> bytes:
    """A payload as JSON, compressed by gzip."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=3, mtime=0)
