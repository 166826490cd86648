"""Waiting for a fleet's mini-batches: lanes that are lost are launched again, and what they held goes elsewhere."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from windtunnel.definition import Fleet
from windtunnel.errors import LaunchError
from windtunnel.fleet.accounts import Accounts, exceeded
from windtunnel.fleet.beginning import RUN
from windtunnel.fleet.records import BatchResult, FleetPlan, batch_name, ended, record
from windtunnel.host.machine import now
from windtunnel.launchers.base import Launcher
from windtunnel.ledger import Job, Ledger, Result, State
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.failures import record_failure
from windtunnel.ledger.writer import BEAT, beat

_FUTILE = 10  # launches of a lane in a row after which it is given up, if nothing has ended meanwhile


@dataclass(frozen=True, slots=True)
class FleetProgress:
    """How far a fleet's run is.

    Attributes:
        done: whether what comes next may begin.
        accounts: of what has ended.
        live: lanes that run or wait to run.
        failure: the threshold that was gone beyond; empty where none was.
    """

    done: bool
    accounts: Accounts
    live: int
    failure: str = ""

    @property
    def wanted(self) -> tuple[Job, ...]:
        """Jobs that are to be launched: none, for the monitor itself launches lanes that are gone."""
        return ()

    @property
    def message(self) -> str:
        """The progress as one line."""
        lanes = f"{self.live} {'lane' if self.live == 1 else 'lanes'} live"
        return ", ".join([self.accounts.message, lanes, *([self.failure] if self.failure else [])])


class FleetMonitor:
    """Looks at a run's lanes and results now and then, and sees that every mini-batch comes to a result.

    A lane is gone when two looks in a row find that it does not live while there is work: what it held is released,
    and it is launched again. Where that is futile it is given up; when all lanes are, what is left has failed. A
    monitor that is lost and made anew takes one look longer.
    """

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        plan: FleetPlan,
        jobs: Sequence[Job],
        launcher: Launcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch over a run whose lanes were launched.

        Args:
            ledger: of the run.
            fleet: its definition.
            plan: what it does.
            jobs: its lanes.
            launcher: that launched them.
            clock: seconds from any beginning.
        """
        self._clock, self._beat_due = clock, clock() + BEAT
        self._ledger = ledger
        self._fleet = fleet
        self._plan = plan
        self._jobs = list(jobs)
        self._launcher = launcher
        self._absent: dict[str, int] = {}
        self._launches: dict[str, int] = {}
        self._done = 0

    def poll(self) -> FleetProgress:
        """Look once: one listing of live jobs, then one of results; a third, of claims, where a lane is gone.

        Raises:
            LaunchError: a lane was cancelled while its results are awaited.
            UnavailableError: the store takes no writes for now, which would else hang the lanes in silence.
        """
        if self._clock() >= self._beat_due:
            beat(self._ledger.store, self._ledger.root)
            self._beat_due = self._clock() + BEAT
        live = self._launcher.live(self._ledger)  # before the results: a lane may end between the two listings
        accounts = Accounts.of(self._plan, ended(self._ledger))
        if accounts.batches_done > self._done:
            self._done = accounts.batches_done
            self._launches.clear()
        failure = exceeded(self._fleet, accounts) or self._broken() or ""
        left = accounts.batches - accounts.batches_done
        if failure:
            self._cancel(live)
        elif left:
            self._restore(live, left)
        done = bool(failure) or not left
        if done:
            self._end(accounts, failure)
        return FleetProgress(done, accounts, sum(job.job in live for job in self._jobs), failure)

    def _broken(self) -> str | None:
        """Why no lane can work at all, as one of them has recorded it."""
        result = self._ledger.outcome(RUN)
        return result.message if result is not None and result.state is State.FAILED else None

    def _cancel(self, live: set[str]) -> None:
        lanes = [job.job for job in self._jobs if job.job in live]
        if lanes:
            self._launcher.cancel(self._ledger, lanes)

    def _restore(self, live: set[str], left: int) -> None:
        """Launch lanes that are gone again; where all of them are given up, what is left has failed."""
        gone = []
        for job in self._jobs:
            self._absent[job.job] = 0 if job.job in live else self._absent.get(job.job, 0) + 1
            if self._absent[job.job] >= 2:
                gone.append(job)
        if not gone:
            return
        given_up = [job for job in gone if self._launches.get(job.job, 0) >= _FUTILE]
        if len(given_up) == len(self._jobs):
            self._give_up(given_up[0])
            return
        self._release({job.job for job in gone})
        useful = -(-left // self._fleet.limits.slots) - (len(self._jobs) - len(gone))
        for job in [job for job in gone if job not in given_up][: max(0, useful)]:
            reason = self._launcher.failure_reason(self._ledger, job)
            if reason.kind == "cancelled":
                raise LaunchError(f"{reason.message} while its results are awaited: launch it again to go on")
            self._launches[job.job] = self._launches.get(job.job, 0) + 1
            self._absent[job.job] = 0
            self._launcher.launch(self._ledger, job)

    def _release(self, lanes: set[str]) -> None:
        """Let others have what these lanes held, or nobody knows who, and have not brought to a result."""
        claims, known = Claims(self._ledger), {job.job for job in self._jobs}
        over = {batch_name(one.number) for one in ended(self._ledger)}
        for claim in claims.listing().values():
            lost = claim.lane in lanes or claim.lane not in known
            if lost and not claim.released and claim.unit not in over:
                claims.release(claim)

    def _give_up(self, job: Job) -> None:
        """Record what is left as failed, for no lane stays alive."""
        reason = self._launcher.failure_reason(self._ledger, job)
        over = {one.number for one in ended(self._ledger)}
        for number, places in enumerate(self._plan.batches):
            if number not in over:
                fail(self._ledger, number, places, reason.kind, reason.message, log_tail=reason.log, attempts=0)

    def _end(self, accounts: Accounts, failure: str) -> None:
        """Let every lane know that the run is over."""
        if self._ledger.outcome(RUN) is not None:
            return
        if failure:
            record_failure(self._ledger, RUN, "threshold", failure)
        else:
            counts: dict[str, float | None] = {name: float(value) for name, value in vars(accounts).items()}
            self._ledger.record(Result(trial=RUN, state=State.COMPLETED, metrics=counts, ended=now()))


def fail(
    ledger: Ledger, number: int, places: Sequence[int], kind: str, message: str, **facts: str | int | float
) -> bool:
    """Record a mini-batch as failed, with all its partitions, unless it has a result.

    Args:
        ledger: of the run.
        number: of the mini-batch.
        places: of its partitions.
        kind: one word for machines.
        message: for a person.
        facts: other fields of the result: items, lane, attempts, …

    Returns:
        Whether this is the record that holds.
    """
    outcome = {"state": State.FAILED, "message": message}
    fields = {"items": len(places), "outcomes": [outcome] * len(places), "kind": kind, "message": message} | facts
    return record(ledger, BatchResult.model_validate({"batch": batch_name(number), "state": State.FAILED, **fields}))
