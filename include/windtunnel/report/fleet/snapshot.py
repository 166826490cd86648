"""A fleet's run at one moment, a column for each thing that is known of its partitions; read again and again."""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from windtunnel.fleet.accounts import Accounts
from windtunnel.fleet.beginning import EVALUATION, RUN
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.planning import taken
from windtunnel.fleet.publishing import is_over
from windtunnel.fleet.records import (
    BatchResult,
    Ended,
    FleetPlan,
    Outcome,
    batch_number,
    ended_of,
    read_plan,
    results,
)
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.claims import Claims, under_way
from windtunnel.ledger.curves import MOST_VALUES
from windtunnel.ledger.writer import last_sign
from windtunnel.report.payloads.plain import plain

STATES = ("completed", "taken", "failed", "running", "open", "skipped")
"""Of a partition: trained in this run, an earlier run's model stands for it, failed, …, not chosen for this run."""

_MESSAGE = 1000  # characters that are kept of a message, of which there may be thousands


@dataclass(frozen=True)
class FleetSnapshot:
    """A run at one moment. A column has a value for each partition, by its place.

    Attributes:
        search, run, url: the fleet's name, the run's, and where the run's files are.
        definition: its fields as the run began with them.
        partitions: all; none until the data is split.
        states: of `STATES`.
        metrics: columns by name; None where a partition has none.
        seconds: that each took; None where that is not known.
        messages: why those that failed did, by place.
        sources: names of the runs that trained those that were taken over, by place.
        accounts: None until the run is planned.
        over: whether nothing is left to do.
        failure: why the run has failed, or its session ended without an outcome; empty where neither is so.
        session: number of the latest session; None where none has begun, or the run is over.
        evaluation: what the user's evaluation returned.
        throughput: partitions a second since the first began.
        left: seconds until all are done at that pace.
        version: changes with all of this but the pace.
    """

    search: str
    run: str
    url: str
    definition: Mapping[str, Any]
    partitions: Partitions
    states: Sequence[str]
    metrics: Mapping[str, Sequence[float | None]]
    seconds: Sequence[float | None]
    messages: Mapping[int, str]
    sources: Mapping[int, str]
    accounts: Accounts | None
    over: bool
    failure: str
    session: int | None
    evaluation: Mapping[str, float | None]
    throughput: float | None
    left: float | None
    version: str

    @property
    def objectives(self) -> dict[str, str]:
        """Directions by metric, the first one first."""
        return objectives_in(self.definition)

    @property
    def counts(self) -> dict[str, int]:
        """How many partitions are in each state."""
        counted = Counter(self.states)
        return {state: counted[state] for state in STATES}

    @property
    def at_work(self) -> int | None:
        """Number of the session whose heart should beat; None where none is at work."""
        return None if self.failure else self.session

    @property
    def message(self) -> str:
        """How far the run is, for people."""
        if self.accounts is None:
            return "the data is not split yet"
        running, left = self.counts["running"], self.accounts.batches - self.accounts.batches_done
        parts = [self.accounts.message, *([f"{running} running"] if running else [])]
        parts += ["to be gathered and evaluated"] if self.at_work is not None and not left else []
        return ", ".join(parts)

    def metrics_of(self, place: int) -> dict[str, float]:
        """A partition's metrics by name."""
        values = ((name, column[place]) for name, column in self.metrics.items())
        return {name: value for name, value in values if value is not None}

    def place_of(self, name: str) -> int | None:
        """The place of the partition of this name."""
        return next((place for place, one in enumerate(self.partitions) if one.name == name), None)


def objectives_in(definition: Mapping[str, Any]) -> dict[str, str]:
    """Directions by metric, as far as the run's own record tells of them: anyone may have written it."""
    given = definition.get("objectives")
    return {name: str(direction) for name, direction in given.items()} if isinstance(given, Mapping) else {}


def is_fleets(ledger: Ledger) -> bool:
    """Whether the run, which has begun, is a fleet's.

    Raises:
        LedgerError: it has not begun.
    """
    return ledger.search_record().get("kind") == RUN


class FleetReader:
    """Keeps what a run never changes: its plan, and how its mini-batches ended, each of which is read once.

    A later reading lists results and, while the run goes on, claims. Threads may share a reader.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Read nothing yet."""
        self.ledger = ledger
        self._lock = Lock()
        self._plan: FleetPlan | None = None
        self._partitions = Partitions((), ())
        self._states: list[str] = []
        self._metrics: dict[str, list[float | None]] = {}
        self._seconds: list[float | None] = []
        self._messages: dict[int, str] = {}
        self._sources: dict[int, str] = {}
        self._ended: dict[int, Ended] = {}
        self._began, self._last = float("inf"), 0.0

    def read(self) -> FleetSnapshot:
        """The run as it is now.

        Raises:
            LedgerError: the run has not begun.
            StoreError: the store cannot be reached.
        """
        with self._lock:
            definition = self.ledger.search_record().get("definition")
            definition = definition if isinstance(definition, Mapping) else {}
            over = is_over(self.ledger)  # before the results: the last of them may come between
            session, stopped = (None, "") if over else self._session()
            if self._plan is None:
                self._read_plan(objectives_in(definition))
            if self._plan is not None:
                for result in results(self.ledger, self._ended):
                    self._add(result, self._plan)
            return self._snapshot(definition, session, stopped, over=over)

    def _session(self) -> tuple[int | None, str]:
        """Number of the latest session, and why it ended without an outcome, unless it was heard of since."""
        writer = self.ledger.writer()
        end = self.ledger.end_of(writer.session) if writer is not None else None
        if writer is None or end is None:
            return (writer.number if writer is not None else None), ""
        sign = last_sign(self.ledger.store, self.ledger.root, writer.number)
        return writer.number, end[0].reason if sign is None or sign <= end[1] else ""

    def _read_plan(self, objectives: Mapping[str, str]) -> None:
        plan, partitions = read_plan(self.ledger), Partitions.read(self.ledger)
        if plan is None or partitions is None:
            return
        plan.check(len(partitions), self.ledger)
        self._partitions, count = partitions, len(partitions)
        self._states, self._seconds = ["open"] * count, [None] * count
        self._metrics = {name: [None] * count for name in objectives}
        for place in plan.skipped:
            self._states[place] = "skipped"
        places = set(plan.taken)
        for past in taken(self.ledger, plan):
            if past.partition in places:
                self._set(past.partition, "taken", past.outcome)
                self._sources[past.partition] = past.source
        self._plan = plan

    def _add(self, result: BatchResult, plan: FleetPlan) -> None:
        ended = ended_of(result)
        if ended.number >= len(plan.batches):
            return
        self._ended[ended.number] = ended
        places = plan.batches[ended.number]
        for place, outcome in zip(places, result.outcomes, strict=False):
            each = outcome.seconds or result.seconds / len(places)
            self._set(place, str(outcome.state), outcome, each)
        with suppress(ValueError, OverflowError):  # no time of this world
            began = datetime.fromisoformat(result.started).timestamp()
            self._began, self._last = min(self._began, began), max(self._last, began + result.seconds)

    def _set(self, place: int, state: str, outcome: Outcome, seconds: float = 0.0) -> None:
        self._states[place] = state
        self._seconds[place] = plain(outcome.seconds or seconds) or None
        if outcome.message:
            self._messages[place] = outcome.message[:_MESSAGE]
        for name, value in outcome.metrics.items():
            if name not in self._metrics:
                if len(self._metrics) >= MOST_VALUES:
                    continue
                self._metrics[name] = [None] * len(self._partitions)
            self._metrics[name][place] = plain(value)

    def _snapshot(
        self, definition: Mapping[str, Any], session: int | None, stopped: str, *, over: bool
    ) -> FleetSnapshot:
        states, plan, ledger = list(self._states), self._plan, self.ledger
        works = not over and not stopped
        for place in () if not works or plan is None else self._claimed(plan):
            if states[place] == "open":
                states[place] = "running"
        outcome, evaluation = ledger.outcome(RUN), ledger.result(EVALUATION)
        failures = [one.message for one in (outcome, evaluation) if one is not None and one.state is State.FAILED]
        failures += [stopped] if stopped else []
        known = (len(self._ended), over, failures, evaluation is not None, plan is not None, tuple(states))
        throughput, left = self._pace(plan, works=works)
        return FleetSnapshot(
            search=ledger.search,
            run=ledger.run,
            url=ledger.url,
            definition=definition,
            partitions=self._partitions,
            states=states,
            metrics={name: list(column) for name, column in self._metrics.items()},
            seconds=list(self._seconds),
            messages=dict(self._messages),
            sources=self._sources,
            accounts=Accounts.of(plan, self._ended.values()) if plan is not None else None,
            over=over,
            failure=failures[0] if failures else "",
            session=session,
            evaluation=plain(evaluation.metrics) if evaluation is not None else {},
            throughput=throughput,
            left=left,
            version=hashlib.sha256(repr(known).encode()).hexdigest()[:16],
        )

    def _claimed(self, plan: FleetPlan) -> set[int]:
        """Places of the partitions whose mini-batches a lane has."""
        claimed: set[int] = set()
        for claim in under_way(Claims(self.ledger).listing().values()):
            number = batch_number(claim.unit)
            if 0 <= number < len(plan.batches):
                claimed.update(plan.batches[number])
        return claimed

    def _pace(self, plan: FleetPlan | None, *, works: bool) -> tuple[float | None, float | None]:
        """Partitions a second since the first mini-batch began, and the seconds until all are done at that pace."""
        if plan is None or not self._last:
            return None, None
        done = sum(len(plan.batches[number]) for number in self._ended)
        left = sum(map(len, plan.batches)) - done
        now = time.time() if works and left else self._last
        throughput = done / max(now - self._began, 1e-3)
        return plain(throughput), plain(left / throughput) if left and throughput and works else None
