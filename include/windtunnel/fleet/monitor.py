"""Waiting for a fleet's mini-batches: which lanes are to be launched again, and when a run is over."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from windtunnel.definition import Fleet, definition_of
from windtunnel.fleet.accounts import Accounts, exceeded
from windtunnel.fleet.beginning import RUN
from windtunnel.fleet.records import BatchResult, FleetPlan, batch_name, ended, record, recorded
from windtunnel.host.machine import now
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.lanes import LaneWatch
from windtunnel.launchers.monitor import Progress, one_line
from windtunnel.ledger import Job, Ledger, Result, State
from windtunnel.ledger.claims import Claims, under_way
from windtunnel.ledger.failures import record_failure
from windtunnel.ledger.writer import Heart
from windtunnel.text import counted


@dataclass(frozen=True, slots=True)
class FleetProgress(Progress):
    """How far a fleet's run is.

    Attributes:
        accounts: of what has ended.
        failure: the threshold that was gone beyond; empty where none was.
    """

    accounts: Accounts = field(kw_only=True)
    failure: str = ""


class FleetMonitor:
    """Looks at a run's lanes and results now and then, and sees that every mini-batch comes to a result.

    It launches nothing: `FleetProgress.wanted` names the lanes that are gone while there is work, see `LaneWatch`. What
    they held is released at once, for lanes that live are sooner there. Where all are given up, what is left has
    failed, and so has the run where none of them ever began anything. A monitor that is lost and made anew takes one
    look longer.
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
        self._ledger = ledger
        self._fleet = fleet
        self._plan = plan
        self._jobs = list(jobs)
        self._launcher = launcher
        self._heart = Heart(ledger.own_turn, clock)
        self._watch = LaneWatch(ledger, launcher, definition_of(ledger), self._jobs, clock)

    def poll(self) -> FleetProgress:
        """Look once: one listing of live jobs, then one of results; two more, claims among them, where a lane is gone.

        Raises:
            LaunchError: all lanes were cancelled while their results are awaited.
            LedgerError: a later session has begun, whose lanes these are now.
        """
        self._heart.beat()
        live = self._launcher.live(self._ledger)  # before the results: a lane may end between the two listings
        accounts = Accounts.of(self._plan, ended(self._ledger))
        failure = exceeded(self._fleet, accounts) or self._broken() or ""
        left = accounts.batches - accounts.batches_done
        living = sum(job.job in live for job in self._jobs)
        wanted: list[Job] = []
        if failure:
            self._cancel(live)
        elif living < min(len(self._jobs), left):
            wanted = self._restore(live)
        done = bool(failure) or not left
        if done:
            self._end(accounts, failure)
        message = one_line((accounts.message, f"{counted(living, 'lane')} live", failure), wanted)
        return FleetProgress(done, message, tuple(wanted), accounts=accounts, failure=failure)

    def _broken(self) -> str | None:
        """Why no lane can work at all, as one of them has recorded it."""
        result = self._ledger.outcome(RUN)
        return result.message if result is not None and result.state is State.FAILED else None

    def _cancel(self, live: set[str]) -> None:
        lanes = [job.job for job in self._jobs if job.job in live]
        if lanes:
            self._launcher.cancel(self._ledger, lanes)

    def _restore(self, live: set[str]) -> list[Job]:
        """Which lanes are to be launched again; where all of them are given up, what is left has failed."""
        over = recorded(self._ledger)
        owed = [name for name in map(batch_name, range(len(self._plan.batches))) if name not in over]
        claims = Claims(self._ledger)
        listing = claims.listing()
        wanted, failure = self._watch.look(live, owed, listing, over)
        for claim in [claim for job in wanted for claim in under_way(listing.values(), over, job.job)]:
            claims.release(claim)  # others are to have what the lane held
        if failure is not None:
            if not listing and not over:  # before `_give_up`: a death in it leaves something over
                message = f"no lane came so far as to begin a mini-batch: {failure.message}"
                record_failure(self._ledger, RUN, failure.kind, message, log_tail=failure.log)
            self._give_up(failure)
        return wanted

    def _give_up(self, failure: JobFailure) -> None:
        """Record what is left as failed, for no lane stays alive."""
        over = {one.number for one in ended(self._ledger)}
        for number, places in enumerate(self._plan.batches):
            if number not in over:
                fail(self._ledger, number, places, failure.kind, failure.message, log_tail=failure.log, attempts=0)

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
