"""Reads a run again and again: each time only what may have changed since."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TypeVar

from windtunnel.errors import LedgerError, StoreError, UnavailableError
from windtunnel.ledger import Approval, Decision, Job, Ledger, Plan, Result, Selection, State
from windtunnel.ledger.claims import Claim, Claims
from windtunnel.ledger.ids import is_trial
from windtunnel.ledger.reading import unreadable
from windtunnel.ledger.session import Session
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.report.fleet import FleetReader, is_fleets
from windtunnel.report.snapshot import Snapshot

_FEW = 32  # results still to come up to which each is asked for rather than all listed
_AT_ONCE = 8  # requests to the store
_MOST_TEXT = 10_000  # characters of a message that are kept
K = TypeVar("K", bound=str)
T = TypeVar("T")


def collect(ledger: Ledger) -> Snapshot:
    """Read a run once, finished or under way.

    Raises:
        LedgerError: the run has not begun.
    """
    return RunReader(ledger).read()


def reader_of(ledger: Ledger) -> "RunReader | FleetReader":
    """What reads the run, which is a search's or a fleet's.

    Raises:
        LedgerError: the run has not begun.
    """
    return FleetReader(ledger) if is_fleets(ledger) else RunReader(ledger)


class RunReader:
    """Keeps what a ledger never changes: plans, selections and results are read once.

    The first reading takes one listing each of sessions, stages, claims, results, steps and jobs, and one read each of
    a plan, a selection, and a result with a message too long for a listing. A later one lists sessions and stages, and
    while results are still to come claims, and asks for them. Threads may share a reader.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Read nothing yet.

        Args:
            ledger: of the run, begun or not.
        """
        self.ledger = ledger
        self._lock = Lock()
        self._record: dict[str, Any] = {}
        self._sessions: list[Session] = []
        self._listed_sessions: list[str] = []
        self._closed = False
        self._end: tuple[Decision, float] | None = None
        self._approval: Approval | None = None
        self._preparation: Job | None = None
        self._plans: dict[Stage, Plan] = {}
        self._selections: dict[Stage, Selection] = {}
        self._results: dict[str, Result] = {}
        self._claims: dict[str, Claim] = {}
        self._launches: dict[str, list[float]] = {}
        self._exported: dict[str, str | None] = {}
        self._listed = False

    def read(self) -> Snapshot:
        """The run as it is now.

        Raises:
            LedgerError: the run has not begun.
            StoreError: the store cannot be reached.
        """
        with self._lock:
            self._record = self._record or self._search_record()
            self._read_sessions()
            self._read_stages()
            if self._listed:
                self._read_due()
            else:
                self._launches = self.ledger.launch_times()
                self._add(self.ledger.outcomes() | self.ledger.step_outcomes())
                self._claims = Claims(self.ledger).listing()  # after the results, which all have one
                self._listed = True
            self._read_exported()
            return Snapshot(
                search=self.ledger.search,
                run=self.ledger.run,
                url=self.ledger.url,
                read=datetime.now(UTC).isoformat(timespec="seconds"),
                record=self._record,
                sessions=list(self._sessions),
                closed=self._closed,
                end=self._last_word(),
                approval=self._approval,
                preparation=self._preparation,
                plans=_in_order(self._plans),
                selections=_in_order(self._selections),
                results=dict(self._results),
                claims=dict(self._claims),
                launches=dict(self._launches),
                exported={trial: digest for trial, digest in self._exported.items() if digest},
                blocked=self.ledger.store.refusal(),
            )

    def _search_record(self) -> dict[str, Any]:
        record = self.ledger.search_record()
        definition = record.get("definition")
        if not isinstance(definition, dict) or not isinstance(definition.get("objectives"), dict):
            path = self.ledger.path("search.json")
            raise unreadable(self.ledger.store, path, "or its latest session has no definition of a search")
        return record

    def _read_sessions(self) -> None:
        listed = [entry.path for entry in self.ledger.store.list(self.ledger.path("sessions/"))]
        if self._listed_sessions and not listed:
            raise UnavailableError(f"{self.ledger.url} is gone; bring it back, and what works on it goes on by itself")
        if listed != self._listed_sessions:
            self._sessions, self._listed_sessions = self.ledger.sessions(), listed
            self._closed = False
        if not self._sessions:
            return
        latest = self._sessions[-1]
        # What is left after publishing is the report and tidying up, and the report must not wait for itself.
        self._closed = self._closed or self.ledger.closed(latest.session) or self.ledger.finished(latest.session)
        self._end = None if self._closed else self.ledger.end_of(latest.session)
        if latest.definition.get("approval") and not (self._closed and self._approval):
            self._approval = self.ledger.approval()

    def _read_stages(self) -> None:
        planned, selected = self.ledger.stage_records()
        self._plans |= _read_all(self.ledger.plan, [stage for stage in planned if stage not in self._plans])
        self._selections |= _read_all(
            self.ledger.selection, [stage for stage in selected if stage not in self._selections]
        )
        if self._preparation is None or not self._plans:
            self._preparation = self.ledger.preparation()

    def _read_due(self) -> None:
        """Read the results and launches that have come since the last reading."""
        jobs = [job for plan in self._plans.values() for job in plan.jobs]
        jobs += [self._preparation] if self._preparation else []
        due = {request.trial for plan in self._plans.values() for request in plan.requests} - self._results.keys()
        due.update(*(job.owed(self._results) for job in jobs))
        for stage in {job.stage for job in jobs if job.stage and job.owed(self._results)}:
            self._launches |= self.ledger.launch_times(stage.jobs)
        trials = any(map(is_trial, due))
        if len(due) <= _FEW:
            self._add(_read_all(self.ledger.outcome, due))
        else:
            self._add(self.ledger.outcomes() if trials else {})
            self._add({} if all(map(is_trial, due)) else self.ledger.step_outcomes())
        if trials:
            self._launches |= self.ledger.launch_times("lane-")
            self._claims = Claims(self.ledger).listing()

    def _read_exported(self) -> None:
        """Ask once for the model of each finalist that is trained."""
        plans = [plan for stage, plan in self._plans.items() if stage.kind is StageKind.FULL]
        trained = {request.trial for plan in plans for request in plan.requests} & self._results.keys()
        new = trained - self._exported.keys()
        self._exported |= dict.fromkeys(new) | _read_all(self.ledger.onnx_digest, new)

    def _last_word(self) -> Decision | None:
        """What was said when the latest session ended, unless something was launched since, by the store's clock."""
        if self._end is None:
            return None
        decision, at = self._end
        launched = max((time for times in self._launches.values() for time in times), default=0.0)
        return decision if at >= launched else None

    def _add(self, results: dict[str, Result]) -> None:
        """Keep new results; a message that is too long for a listing is read from the result itself."""
        fresh = {unit: result for unit, result in results.items() if unit not in self._results}
        early = [unit for unit, result in fresh.items() if result.state in (State.FAILED, State.STOPPED)]
        cut = [unit for unit in early if not fresh[unit].message]
        for unit, message in _read_all(self._message, cut).items():
            fresh[unit] = fresh[unit].model_copy(update={"message": message})
        self._results |= fresh

    def _message(self, unit: str) -> str | None:
        """A result's message, no longer than anybody reads; one that cannot be read does not hide the others."""
        try:
            result = self.ledger.result(unit)
        except UnavailableError:
            raise
        except (LedgerError, StoreError) as error:
            return f"its record cannot be read: {error}"
        return result.message[:_MOST_TEXT] if result is not None else None


def _read_all(read: Callable[[K], T | None], names: Collection[K]) -> dict[K, T]:
    """What there is of these names, some at once."""
    if not names:
        return {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(names))) as pool:
        records = zip(names, pool.map(read, names), strict=True)
        return {name: record for name, record in records if record is not None}


def _in_order(records: dict[Stage, T]) -> dict[Stage, T]:
    return dict(sorted(records.items(), key=lambda item: item[0].order))
