"""A run's objects in a store: records that are made once, decisions that one session may fix, and what is replaced.

**One write decides.** Where several are needed, one of them is the decision: what it rests on is written before it, and
what follows from it is written after it, from its content alone, by everyone who finds it. So a process may die between
any two writes, and whoever repeats its work finishes it.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

from windtunnel.errors import ConflictError, LedgerError, NoObjectError, NotFoundError, UnreadableError
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.reading import named, read_object, read_record
from windtunnel.ledger.records import Record
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.writer import Turn
from windtunnel.stores import Store
from windtunnel.stores.base import Entry, Metadata

R = TypeVar("R", bound=Record)


class RunObjects:
    """One run's objects. Holds no state of its own: any number of processes may share a run.

    Attributes:
        store: where ledgers live.
        search: the search's name.
        run: the run's name, as it is in paths.
        root: the run's folder in the store.
        url: of the run.
        turn: of the session that writes the run; None where none does.
    """

    def __init__(self, store: Store, search: str, run: str, session: int | None = None) -> None:
        """Address the run; nothing is read or written yet.

        Args:
            store: where ledgers live.
            search: the search's name.
            run: the run's name; made safe for a path.
            session: number of the session that writes it: plans, selections and what is published are refused once a
                later one has begun. Without it nothing is.
        """
        self.store = store
        self.search = search
        self.run = safe_name(run)
        self.root = f"{safe_name(search)}/{self.run}"
        self.url = f"{store.url.rstrip('/')}/{self.root}"
        self.turn = Turn(store, self.root, session) if session else None

    @property
    def own_turn(self) -> Turn:
        """The turn of the session that writes.

        Raises:
            LedgerError: the run was opened without a session.
        """
        if self.turn is None:
            raise LedgerError(f"{self.url} was opened without a session: it can be read only")
        return self.turn

    def path(self, name: str) -> str:
        """The store's path of one of the run's objects."""
        return f"{self.root}/{name}"

    def read_json(self, name: str) -> dict[str, Any] | None:
        """One of the run's JSON objects, if it is there.

        Raises:
            UnreadableError: what is there is none.
        """
        try:
            return read_object(self.store, self.path(name))
        except NotFoundError:
            return None

    def write_json(self, name: str, content: Any) -> None:
        """Replace one of the run's JSON objects."""
        self._replace(name, json.dumps(content, indent=1).encode() + b"\n")

    def _replace(self, name: str, content: bytes) -> None:
        """Replace one of the run's objects; a session does so only while it is its turn.

        Raises:
            LedgerError: a later session has begun.
        """
        path = self.path(name)
        while self.turn is not None:
            try:
                etag = self.store.stat(path).etag
            except NotFoundError:
                etag = None
            self.turn.write()
            try:
                if etag is not None:
                    return self.store.put(path, content, if_match=etag)
                if self.store.create(path, content):
                    return None
            except ConflictError:  # somebody wrote it meanwhile; a later session, if this is not its turn any more
                continue
        return self.store.put(path, content)

    def fix(self, what: Literal["planned", "selected"], stage: Stage, name: str, record: R) -> R:
        """Write what may be decided once, unless it was decided, and return what holds.

        It counts as soon as `writer.json` says so, which an older session cannot bring about. What it may have left is
        replaced.

        Raises:
            LedgerError: a later session has begun.
        """
        if self.turn is None:
            return self._create(name, record)
        path, mark = self.path(name), {"session": str(self.turn.number)}
        while not self.store.create(path, record.to_bytes(), mark):
            entry = self.store.stat(path)
            fixed = stage in (getattr(self.turn.check(), what) or ())
            if fixed or entry.metadata == mark:
                record = read_record(self.store, path, type(record))
                if fixed:
                    return record
                break
            try:
                self.store.put(path, record.to_bytes(), mark, if_match=entry.etag)
                break
            except ConflictError:
                continue
        self.turn.write(lambda writer: writer.with_fixed(what, stage))
        return record

    def take(self, path: str, content: bytes, metadata: Metadata | None = None) -> bool:
        """Write the object at a path unless something has its name, be it no object; whether this call did."""
        try:
            return self.store.create(path, content, metadata)
        except NoObjectError:
            return False

    def _create(self, name: str, record: R) -> R:
        if self.store.create(self.path(name), record.to_bytes()):
            return record
        return read_record(self.store, self.path(name), type(record))

    def _read(self, name: str, kind: type[R]) -> R | None:
        try:
            return read_record(self.store, self.path(name), kind)
        except NotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Whether there is such an object, whatever it says, or something else in its place."""
        try:
            self.store.stat(self.path(name))
        except NoObjectError:
            return True
        except NotFoundError:
            return False
        return True

    def _numbered(self, name: str) -> Iterator[tuple[int, Entry]]:
        """The objects of a folder whose names are numbers, with these."""
        folder = self.path(name)
        listed = named(self.store, folder)
        return ((int(stem), entry) for stem, entry in listed if stem.isdecimal() and stem.isascii())

    def _started(self, entry: Entry, kind: type[R]) -> R | None:
        """What is recorded of a start or a launch; None where that cannot be read."""
        try:
            return read_record(self.store, entry.path, kind)
        except UnreadableError:
            return None

    def _named(self, record: R, recorded: str, name: str) -> R:
        if recorded != name:
            raise LedgerError(f"{self.url}: the record of {name!r} says that it is {recorded!r}: somebody changed it")
        return record


def moment(entry: Entry) -> str:
    """When an object was written, ISO 8601 in UTC."""
    return entry.modified.isoformat(timespec="seconds")
