"""Runs that pages look at, kept in memory: a page is answered from what was read, while changes are read beside it."""

import gzip
import json
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Lock
from typing import Any

from windtunnel.errors import WindtunnelError
from windtunnel.ledger import Ledger
from windtunnel.report import RunReader, RunView
from windtunnel.report.documents import Curves, importance, overview
from windtunnel.stores import open_store
from windtunnel_airflow.connection import use_connection

_FRESH = 2.0  # seconds for which nothing is read again
_PATIENCE = 0.3  # seconds that a page waits for what is new, before it gets what was known
_KEPT = 24  # runs

_pool = ThreadPoolExecutor(4, thread_name_prefix="windtunnel-page")


class RunCache:
    """One run: its latest view, and the documents that were made of it."""

    def __init__(self, ledger: Ledger) -> None:
        """Read nothing yet."""
        self.ledger = ledger
        self.curves = Curves(ledger)
        self._reader = RunReader(ledger)
        self._lock = Lock()
        self._making: defaultdict[str, Lock] = defaultdict(Lock)
        self._view: RunView | None = None
        self._read_at = 0.0
        self._reading: Future[None] | None = None
        self._documents: dict[str, tuple[str, bytes]] = {}
        self._overview: tuple[str, dict[str, Any]] | None = None

    def view(self) -> RunView:
        """The run as it was at most some seconds ago; the first call reads it.

        Raises:
            WindtunnelError: the run has not begun, or the store cannot be reached, or could not when it was read last.
        """
        if self._view is None:
            with self._making["view"]:
                if self._view is None:
                    self._read()
        elif self._stale():
            reading = self._read_beside()
            if wait([reading], _PATIENCE).done and reading.exception():
                self._reading = None  # told once; the next page tries again
                reading.result()
        assert self._view is not None
        return self._view

    def overview(self, view: RunView) -> dict[str, Any]:
        """The overview of a view; made once for each version of the run."""
        if self._overview is None or self._overview[0] != view.version:
            self._overview = (view.version, overview(view))
        return self._overview[1]

    def document(self, name: str, version: str, make: Callable[[], Any]) -> bytes:
        """A document as compressed JSON; made once for each version, of which the last is kept."""
        with self._making[name]:
            known, made = self._documents.get(name, ("", b""))
            if known != version:
                made = compressed(make())
                self._documents[name] = (version, made)
        return made

    def importance(self, view: RunView) -> bytes:
        """The importance of parameters; what takes longest to make, most of all where Optuna is not imported yet."""
        return self.document("importance", view.version, lambda: importance(view))

    def read_ahead(self) -> None:
        """Read the run before it is asked for."""
        if self._view is not None:
            if self._stale():
                self._read_beside()
            return
        with suppress(WindtunnelError):  # whoever asks for it is told
            self.view()

    def think_ahead(self, view: RunView) -> None:
        """Work the importance out before it is asked for; once, for a run under way changes every few seconds."""
        if "importance" not in self._documents:
            self.importance(view)

    def _stale(self) -> bool:
        return time.monotonic() - self._read_at > _FRESH

    def _read_beside(self) -> Future[None]:
        """The reading that is under way, or that failed when nobody waited for it any more; else a new one."""
        with self._lock:
            if self._reading is None or (self._reading.done() and not self._reading.exception()):
                self._reading = _pool.submit(self._read)
            return self._reading

    def _read(self) -> None:
        view = self._reader.read()
        if self._view is None or view.version != self._view.version:
            self._view = view
        self._read_at = time.monotonic()


class RunCaches:
    """The runs that were looked at last."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._lock = Lock()
        self._runs: OrderedDict[tuple[str, str, str], RunCache] = OrderedDict()

    def of(self, address: tuple[str, str, str]) -> RunCache:
        """The run of a store, a search and a name."""
        with self._lock:
            cache = self._runs.get(address) or RunCache(_ledger(*address))
            self._runs[address] = cache
            self._runs.move_to_end(address)
            while len(self._runs) > _KEPT:
                self._runs.popitem(last=False)
            return cache

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._runs.clear()


def _ledger(store: str, search: str, run: str) -> Ledger:
    use_connection()
    return Ledger(open_store(store), search, run)


def compressed(document: Any) -> bytes:
    """A document as compressed JSON."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=3, mtime=0)
