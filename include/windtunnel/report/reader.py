"""Reads a run again and again: each time only what may have changed since."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TypeVar

from windtunnel.ledger import Approval, Job, Known, Ledger, Plan, Result, State
from windtunnel.ledger.ids import is_trial
from windtunnel.ledger.outcome import Outcome
from windtunnel.ledger.records import Session
from windtunnel.report.snapshot import Snapshot

_FEW = 32  # results still to come up to which each is asked for rather than all listed
_AT_ONCE = 8  # requests to the store
T = TypeVar("T")


def collect(ledger: Ledger) -> Snapshot:
    """Read a run once, finished or under way.

    Raises:
        LedgerError: the run has not begun.
    """
    return RunReader(ledger).read()


class RunReader:
    """Keeps what a ledger never changes: plans, selections and results are read once, and why a trial ended early.

    The first reading takes one listing each of stages, results, steps and jobs, and one read each of a plan, a
    selection, and a trial that failed or was stopped. A later one lists sessions and stages, and asks for the results
    that are still to come. Threads may share a reader.
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
        self._closed = False
        self._approval: Approval | None = None
        self._preparation: Job | None = None
        self._plans: dict[str, Plan] = {}
        self._selections: dict[str, Known] = {}
        self._ended: dict[str, Outcome] | None = None
        self._reasons: dict[str, Result] = {}
        self._launches: dict[str, list[float]] = {}

    def read(self) -> Snapshot:
        """The run as it is now.

        Raises:
            LedgerError: the run has not begun.
            StoreError: the store cannot be reached.
        """
        with self._lock:
            self._record = self._record or self.ledger.search_record()
            self._read_sessions()
            self._read_stages()
            if self._ended is None:
                self._ended = self.ledger.outcomes() | self.ledger.step_outcomes()
                self._launches = self.ledger.launch_times()
            else:
                self._read_due(self._ended)
            self._read_reasons(self._ended)
            return Snapshot(
                search=self.ledger.search,
                run=self.ledger.run,
                url=self.ledger.url,
                read=datetime.now(UTC).isoformat(timespec="seconds"),
                record=self._record,
                sessions=list(self._sessions),
                closed=self._closed,
                approval=self._approval,
                preparation=self._preparation,
                plans=dict(sorted(self._plans.items(), key=lambda item: _order(item[0]))),
                selections=dict(self._selections),
                outcomes=dict(self._ended),
                reasons=dict(self._reasons),
                launches=dict(self._launches),
            )

    def _read_sessions(self) -> None:
        if len(list(self.ledger.store.list(self.ledger.path("sessions/")))) != len(self._sessions):
            self._sessions = self.ledger.sessions()
            self._closed = False
        if not self._sessions:
            return
        latest = self._sessions[-1]
        # What is left after publishing is the report and tidying up, and the report must not wait for itself.
        self._closed = self._closed or self.ledger.closed(latest.session) or self.ledger.finished(latest.session)
        if latest.definition.get("approval") and not (self._closed and self._approval):
            self._approval = self.ledger.approval()

    def _read_stages(self) -> None:
        for name in self.ledger.stages():
            if name not in self._plans and (plan := self.ledger.plan(name)):
                self._plans[name] = plan
            if name.isdigit() and name not in self._selections and (selection := self.ledger.known(name)):
                self._selections[name] = selection
        if self._preparation is None or not self._plans:
            self._preparation = self.ledger.preparation()

    def _read_due(self, ended: dict[str, Outcome]) -> None:
        """Add the outcomes and launches that have come since the last reading."""
        jobs = [job for plan in self._plans.values() for job in plan.jobs]
        jobs += [self._preparation] if self._preparation else []
        due = {request.trial for plan in self._plans.values() for request in plan.requests} - ended.keys()
        due.update(unit for job in jobs for unit in job.units if unit not in ended)
        for stage in {job.stage for job in jobs if not due.isdisjoint(job.units)}:
            self._launches |= self.ledger.launch_times("prepare" if stage == "prepare" else f"{stage}-")
        if len(due) <= _FEW:
            ended |= {outcome.trial: outcome for outcome in _at_once(self.ledger.outcome, due) if outcome}
            return
        ended |= self.ledger.outcomes() if any(map(is_trial, due)) else {}
        ended |= {} if all(map(is_trial, due)) else self.ledger.step_outcomes()

    def _read_reasons(self, ended: Mapping[str, Outcome]) -> None:
        """Why a unit failed or was stopped stands in its result only."""
        early = [unit for unit, outcome in ended.items() if outcome.state in (State.FAILED, State.STOPPED)]
        unread = [unit for unit in early if unit not in self._reasons]
        self._reasons |= {result.trial: result for result in _at_once(self.ledger.result, unread) if result}


def _at_once(read: Callable[[str], T], names: Collection[str]) -> list[T]:
    if len(names) < 2:
        return [read(name) for name in names]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(read, names))


def _order(stage: str) -> tuple[int, int]:
    """A stage's place among those of a run; one that was extended has several full trainings."""
    kind, _, number = stage.rpartition("-")
    return int(number), ("", "full", "verify").index(kind)
