"""Who writes a run: its sessions take turns, and what an older one still wants to write is refused.

A store has no transactions, only conditional writes of one object. So there is one object that decides, `writer.json`:
it names the session whose turn it is, and what is fixed. A session begins by replacing it, and whatever a session fixes
counts only once `writer.json`, replaced under its etag, says so. So a task that was paused, and wakes when a later
session has begun, can fix nothing: the etag that it knows is gone.

No clock decides whether a session still works. It beats, by writing an object of its own now and then, and whoever
wants to know looks twice.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

from windtunnel.errors import ConflictError, LedgerError, NotFoundError
from windtunnel.ledger.reading import read_tagged
from windtunnel.ledger.records import Record
from windtunnel.ledger.stage import Stage
from windtunnel.stores import Store

T = TypeVar("T")

WRITER = "writer.json"
BEAT = 10.0  # seconds between two beats of a session at work
_PATIENCE = 4 * BEAT  # seconds without a beat after which a session counts as dead


class Writer(Record):
    """The session that writes the run, and what is fixed (`writer.json`).

    Attributes:
        session: the DAG run's id.
        number: of the session, counted from 1; 0 where a version that did not number them wrote it.
        planned: stages whose plans count; None where all that are there do.
        selected: iterations whose selections count; likewise.
        queue: the stage whose trials lanes may claim; None where nothing was launched yet.
    """

    session: str
    number: int = 0
    planned: list[Stage] | None = None
    selected: list[Stage] | None = None
    queue: Stage | None = None

    def with_fixed(self, what: Literal["planned", "selected"], stage: Stage) -> "Writer":
        """The same with one more stage planned, or one more iteration selected."""
        stages = {*(getattr(self, what) or ()), stage}
        return self.model_copy(update={what: sorted(stages, key=lambda one: one.order)})


class Turn:
    """A session's turn to write a run; it ends when a later session begins."""

    def __init__(self, store: Store, root: str, number: int) -> None:
        """The turn of the session of that number, of the run at `root`."""
        self.number = number
        self._store = store
        self._root = root
        self._seen: tuple[Writer, str] | None = None  # since the last write

    def check(self) -> Writer:
        """Who writes: this session.

        Raises:
            LedgerError: a later session has begun.
        """
        writer, etag = look(self._store, self._root)
        if writer is None or etag is None or writer.number != self.number:
            later = f"session {writer.number} took over this run, {writer.session}" if writer else f"{WRITER} is gone"
            raise LedgerError(
                f"{self._store.url}/{self._root}: {later}: session {self.number} writes nothing more of it"
            )
        self._seen = writer, etag
        return writer

    def write(self, change: Callable[[Writer], Writer] = lambda writer: writer) -> None:
        """Replace `writer.json`, which succeeds only while no later session has begun.

        Raises:
            LedgerError: a later session has begun.
        """
        while True:
            if self._seen is None:
                self.check()
                continue
            (writer, etag), self._seen = self._seen, None
            try:
                self._store.put(f"{self._root}/{WRITER}", change(writer).to_bytes(), if_match=etag)
                return
            except ConflictError:  # another task of this session, or a later session
                continue

    def beat(self) -> None:
        """Show that the session is at work.

        Raises:
            LedgerError: a later session has begun.
        """
        self.check()
        self._store.put(_beat(self._root, self.number), json.dumps({"session": self.number}).encode())


class Heart:
    """Shows that a session is at work, every `BEAT` seconds at most, however often it is asked to."""

    def __init__(self, turn: Turn | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Beat for the session whose turn it is; None has no heart.

        Args:
            turn: of the session.
            clock: seconds from any beginning.
        """
        self._turn = turn
        self._clock = clock
        self._due = clock()

    def beat(self) -> None:
        """Beat if it is time to.

        Raises:
            LedgerError: a later session has begun.
        """
        if self._turn is not None and self._clock() >= self._due:
            self._turn.beat()
            self._due = self._clock() + BEAT

    def during(self, items: Iterable[T]) -> Iterator[T]:
        """The items; the heart beats between them."""
        for item in items:
            self.beat()
            yield item


def look(store: Store, root: str) -> tuple[Writer | None, str | None]:
    """Who writes the run at `root`, and the etag of `writer.json`; None where nobody has yet.

    Raises:
        UnreadableError: `writer.json` does not say so.
    """
    try:
        return read_tagged(store, f"{root}/{WRITER}", Writer)
    except NotFoundError:
        return None, None


def take(store: Store, root: str, writer: Writer, etag: str | None) -> bool:
    """Let this session write the run at `root`, if `writer.json` still has that etag; whether it does now."""
    path = f"{root}/{WRITER}"
    if etag is None:
        return store.create(path, writer.to_bytes())
    try:
        store.put(path, writer.to_bytes(), if_match=etag)
    except ConflictError:
        return False
    return True


def beats(store: Store, root: str, number: int, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether a session of the run at `root` is at work: whether it beats between two looks.

    Args:
        store: where ledgers live.
        root: of the run.
        number: of the session.
        sleep: waits for so many seconds.
    """
    first = _last_beat(store, root, number)
    waited = 0.0
    while waited < _PATIENCE:
        sleep(BEAT / 2)
        waited += BEAT / 2
        if _last_beat(store, root, number) != first:
            return True
    return False


def last_sign(store: Store, root: str, number: int) -> float | None:
    """When a session of the run at `root` last showed that it is at work, in seconds since 1970 by the store's clock.

    None where it never has.
    """
    try:
        return store.stat(_beat(root, number)).modified.timestamp()
    except NotFoundError:
        return None


def _last_beat(store: Store, root: str, number: int) -> str | None:
    try:
        return store.stat(_beat(root, number)).etag
    except NotFoundError:
        return None


def _beat(root: str, number: int) -> str:
    return f"{root}/beats/{number}.json"
