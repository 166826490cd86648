"""The search that a run is of, the sessions that work on it, how each ended, and what a person said."""

import json
from typing import Any

from windtunnel.errors import LedgerError, NotFoundError
from windtunnel.ledger.approval import Approval
from windtunnel.ledger.format import FORMAT, require_readable
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.manifest import MANIFEST
from windtunnel.ledger.objects import RunObjects
from windtunnel.ledger.reading import named, read_record, unreadable
from windtunnel.ledger.selection import Decision
from windtunnel.ledger.session import Session
from windtunnel.ledger.writer import WRITER, Writer


class Sessions(RunObjects):
    """A run's search and its sessions."""

    def begin(self, search: dict[str, Any]) -> dict[str, Any]:
        """Write `search.json` unless the run has one, and return what it holds."""
        content = json.dumps({"format": FORMAT} | search, indent=1).encode() + b"\n"
        self.store.create(self.path("search.json"), content)
        return self.search_record()

    def begun(self) -> dict[str, Any] | None:
        """What `search.json` holds, as the run began; None where it has not begun.

        Raises:
            LedgerError: it is no run's, or of a newer format than this version reads.
        """
        record = self.read_json("search.json")
        if record is not None:
            require_readable(record, self.url)
            if not isinstance(record.get("definition"), dict):
                raise unreadable(self.store, self.path("search.json"), "has no definition")
        return record

    def search_record(self) -> dict[str, Any]:
        """What `search.json` holds, with the definition as the latest session has it.

        Raises:
            LedgerError: the run has not begun, or is of a newer format than this version reads.
        """
        record = self.begun()
        if record is None:
            raise LedgerError(f"{self.url} holds no run: it has no search.json")
        sessions = self.sessions()
        return record | {"definition": sessions[-1].definition} if sessions else record

    def writer(self) -> Writer | None:
        """The session that writes the run, if any has claimed it, and what is fixed."""
        return self._read(WRITER, Writer)

    def open_session(self, session: Session) -> Session:
        """Write the session unless it was written before, and return what holds."""
        return self._create(f"sessions/{safe_name(session.session)}.json", session)

    def sessions(self) -> list[Session]:
        """All sessions, the earliest first."""
        folder = self.path("sessions/")
        records = [
            (name, read_record(self.store, entry.path, Session))
            for name, entry in named(self.store, folder)
            if name == safe_name(name)  # another is a person's copy
        ]
        sessions = [session for name, session in records if safe_name(session.session) == name]
        return sorted(sessions, key=lambda session: session.order)

    def session(self, name: str) -> Session:
        """The session of that name.

        Raises:
            LedgerError: there is none.
        """
        session = self._read(f"sessions/{safe_name(name)}.json", Session)
        if session is None:
            raise LedgerError(f"{self.url} has no session {name!r}")
        return self._named(session, session.session, name)

    def finish(self, session: str) -> None:
        """Say that the session came to an outcome: models are published, or a person refused them."""
        self.store.create(self.path(f"finished/{safe_name(session)}.json"), b"{}\n")

    def finished(self, session: str) -> bool:
        """Whether the session came to an outcome."""
        return self.has(f"finished/{safe_name(session)}.json")

    def close(self, session: str) -> None:
        """Say that nothing is left to do for the session: the next one extends the run rather than finishing it."""
        self.store.create(self.path(f"closed/{safe_name(session)}.json"), b"{}\n")

    def closed(self, session: str) -> bool:
        """Whether nothing is left to do for the session."""
        return self.has(f"closed/{safe_name(session)}.json")

    def end(self, session: str, why: str) -> None:
        """Say that the session ended without an outcome, and why; holds until something is launched again."""
        decision = Decision(what="failed", reason=why)
        self.store.put(self.path(f"ended/{safe_name(session)}.json"), decision.to_bytes())

    def end_of(self, session: str) -> tuple[Decision, float] | None:
        """How the session ended without an outcome, and when, in seconds since 1970 by the store's clock."""
        path = self.path(f"ended/{safe_name(session)}.json")
        try:
            return read_record(self.store, path, Decision), self.store.stat(path).modified.timestamp()
        except NotFoundError:
            return None

    def approval(self) -> Approval | None:
        """A person's latest word on the finalists, if there is one."""
        return self._read("approval.json", Approval)

    def answer(self, approval: Approval) -> None:
        """Keep a person's word on the finalists."""
        self._replace("approval.json", approval.to_bytes())

    def manifest(self) -> dict[str, Any] | None:
        """The prepared data's manifest, once it is prepared: `digest`, `files`, `splits`."""
        manifest = self.read_json(MANIFEST)
        if manifest is not None and not isinstance(manifest.get("digest"), str):
            raise unreadable(self.store, self.path(MANIFEST), "has no digest of the data")
        return manifest
