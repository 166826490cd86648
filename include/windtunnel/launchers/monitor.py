"""Waiting for a stage's results, whatever the engine that waits: no job stalls it, whichever way it is lost."""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from windtunnel.definition import definition_of
from windtunnel.errors import LaunchError
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.lanes import LaneWatch, lanes
from windtunnel.ledger import Job, Ledger, Plan, Result, State
from windtunnel.ledger.claims import Claim, Claims, under_way
from windtunnel.ledger.curves import last_report
from windtunnel.ledger.failures import hopeless, record_failure
from windtunnel.ledger.ids import last_tries
from windtunnel.ledger.queue import iterations_before
from windtunnel.ledger.records import owed
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.stragglers import promising
from windtunnel.ledger.trial import ended as ended_trials
from windtunnel.ledger.trial import outstanding
from windtunnel.ledger.writer import Heart
from windtunnel.text import counted, printable

_log = logging.getLogger(__name__)

_SHARE = 4.0  # how many times as long as a look the time between two looks is at least
_LONGEST = 20.0  # seconds between two looks, however long the last one took: it may have waited for a full disk


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something is that is waited for.

    Attributes:
        done: whether what comes next may begin.
        message: how far it is, as one line.
        wanted: jobs that are gone and are to be launched again before the next look.
    """

    done: bool
    message: str
    wanted: tuple[Job, ...] = ()


P = TypeVar("P", bound=Progress)


def one_line(parts: Iterable[str], wanted: Sequence[Job]) -> str:
    """A progress as one line: its parts that are not empty, and what is to be launched again."""
    again = f"{', '.join(job.job for job in wanted)} to be launched again" if wanted else ""
    return ", ".join(part for part in (*parts, again) if part)


class StageMonitor:
    """Looks at a stage's jobs or lanes and at its results now and then, and sees that every unit comes to a result.

    An iteration's monitor looks after the stragglers of earlier iterations too, and waits no longer once the search is
    hopeless by its failures, or its time is used up: what still runs is cancelled then. A full training's monitor waits
    for the stragglers that lanes have begun, too, as long as the search has time. A job is gone when two looks in a row
    find that it does not live, and work is left for it. The monitor launches nothing itself: `Progress.wanted` names
    what is to be launched again, where the launcher's rules allow. Where not, the units of a job have failed, and so
    they have where it was never launched, for monitoring begins once all launches are tried; what a lane held goes to
    the others, see `LaneWatch`. What a monitor remembers may be lost: one that is made anew takes one look longer.
    """

    def __init__(
        self, ledger: Ledger, launcher: Launcher, stage: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Watch over one stage of a run.

        Args:
            ledger: of the run.
            launcher: that its jobs were launched with.
            stage: its name, see `Stage`.
            clock: seconds from any beginning.

        Raises:
            LedgerError: the stage has neither a plan nor a job.
        """
        self._ledger = ledger
        self._launcher = launcher
        self._clock = clock
        definition = definition_of(ledger)
        self._limits, self._objectives = definition.limits, definition.objectives
        self._plan = _plan_of(ledger, Stage(stage))
        self._is_iteration = self._plan.stage.is_iteration
        self._earlier = iterations_before(ledger, self._plan)
        sessions = ledger.sessions()
        offset = sessions[-1].offset if sessions else 0
        begun = [plan for plan in self._earlier if plan.stage.number > offset]
        self._own = {unit for plan in (*begun, self._plan) for unit in plan.units}
        own_lanes = [] if self._plan.jobs else lanes(ledger, definition, len(self._plan.units))
        self._lanes = LaneWatch(ledger, launcher, definition, own_lanes, clock) if own_lanes else None
        left = sessions[-1].seconds_left(self._limits.search_time) if sessions else math.inf
        self._until = left + clock()  # by this clock, and never before the session's own time is used up
        self._absent: dict[str, int] = {}
        self._heart = Heart(ledger.turn, clock)

    def poll(self) -> Progress:
        """Look once: a listing of live jobs, one of claims where lanes work, one of results.

        Now and then it shows that the session is at work, before it looks.

        Raises:
            LaunchError: a job was cancelled while its results are still awaited.
            LedgerError: a later session has begun, whose jobs these are now.
        """
        self._heart.beat()
        over = self._is_iteration and self._out_of_time()
        if over:
            self._cancel()
        live = self._launcher.live(self._ledger)  # before the results: a job may end between the two listings
        claims = Claims(self._ledger).listing() if self._lanes is not None else {}
        ended = self._ended()
        wanted = [] if over else self._look_after(live, claims, ended)
        own = [ended[unit] for unit in self._plan.units if unit in ended]
        late = len(self._late(claims, ended))
        total = len(self._plan.units)
        given_up = self._is_iteration and self._hopeless(ended)
        done = (len(own) == total and not late) or given_up or over or self._may_go_on(claims, ended)
        failed, working = sum(result.state is State.FAILED for result in own), len(live & self._jobs)
        parts = (
            f"{len(own)} of {total} results in",
            f"{failed} failed" if failed else "",
            f"{counted(working, 'job')} live",
            f"{late} late from before" if late else "",
            "limits.search_time is used up" if over else "",
        )
        return Progress(done, one_line(parts, wanted), tuple(wanted))

    def _out_of_time(self) -> bool:
        """Whether the time of the search is used up; a full training goes on then."""
        return self._clock() > self._until

    @property
    def _jobs(self) -> set[str]:
        """Ids of the jobs that work for the stage."""
        return {job.job for job in (self._lanes.lanes if self._lanes else self._plan.jobs)}

    def _look_after(self, live: set[str], claims: Mapping[str, Claim], ended: dict[str, Result]) -> list[Job]:
        """See that nothing stalls: which jobs are to be launched again; what nobody will do any more has failed."""
        wanted = []
        for plan in (self._plan, *(self._earlier if self._is_iteration else ())):
            for job in plan.jobs:
                missing = job.owed(ended)
                if missing and job.job not in live:
                    wanted += self._missed(job, missing, ended)
                else:
                    self._absent.pop(job.job, None)
        if self._lanes is not None:
            due = [*owed(self._plan.units, ended), *self._late(claims, ended)]
            recorded = {unit: result.recorded for unit, result in ended.items()}
            launched, failure = self._lanes.look(live, due, claims, recorded)
            wanted += launched
            if failure is not None:
                self._fail(failure, due, ended)
        return wanted

    def _late(self, claims: Mapping[str, Claim], ended: Mapping[str, Result]) -> list[str]:
        """Stragglers: all of earlier iterations; once finalists train, those that were begun, while there is time."""
        late = [unit for plan in self._earlier for unit in owed(plan.units, ended)]
        if self._is_iteration:
            return late
        return [] if self._out_of_time() else [unit for unit in late if unit in claims]

    def _may_go_on(self, claims: Mapping[str, Claim], ended: Mapping[str, Result]) -> bool:
        """Whether what follows an iteration of a continuous search may begin though trials have not ended."""
        if self._plan.ahead is None:
            return False
        requests = [request for plan in (self._plan, *self._earlier) for request in plan.requests]
        late = outstanding(requests, ended)
        unclaimed = sum(request.trial not in claims or claims[request.trial].released for request in late)
        if not self._plan.is_over(len(late), unclaimed):
            return False
        if not self._plan.last:
            return True
        reports = {request.trial: last_report(self._ledger, request.trial) for request in late}
        return not promising(late, ended_trials(requests, ended), reports, self._objectives)

    def _cancel(self) -> None:
        """Cancel what still runs of this iteration and earlier ones; its trials are begun again if the run goes on."""
        jobs = self._jobs | {job.job for plan in self._earlier for job in plan.jobs}
        running = self._launcher.live(self._ledger) & jobs
        if running:
            self._launcher.cancel(self._ledger, running)
        claims = Claims(self._ledger)
        for claim in under_way(claims.listing().values(), self._ended()):
            claims.release(claim)  # or a lane that trains finalists would go on with it

    def _hopeless(self, ended: Mapping[str, Result]) -> bool:
        """Whether the trials so far end the search as failed: the last retry of each counts."""
        units = [unit for plan in (*self._earlier, self._plan) for unit in plan.units]
        last = [ended[unit] for unit in last_tries(units) if unit in ended]
        return hopeless(last, self._limits.failed_trials, self._own) is not None

    def _ended(self) -> dict[str, Result]:
        trials = all(job.kind.trains for job in self._plan.jobs)
        return self._ledger.outcomes() if trials else self._ledger.step_outcomes()

    def _missed(self, job: Job, missing: Collection[str], ended: dict[str, Result]) -> list[Job]:
        """Deal with a job that lacks results and was not found alive; whether it is to be launched again."""
        self._absent[job.job] = self._absent.get(job.job, 0) + 1
        if self._absent[job.job] < 2:
            return []
        if not self._ledger.launches(job.job):
            words = f"job {job.job} was not launched: the log of its task `launch` says why"
            failure = JobFailure("never_launched", words)
        elif self._launcher.may_relaunch(self._ledger, job):
            self._absent[job.job] = 0
            return [job]
        else:
            failure = self._launcher.failure_reason(self._ledger, job)
            if failure.kind == "cancelled":
                raise LaunchError(f"{failure.message} while its results are awaited: launch it again to go on")
        self._fail(failure, missing, ended)
        self._launcher.cancel(self._ledger, [job.job])  # what is given up must not begin later
        return []

    def _fail(self, failure: JobFailure, units: Collection[str], ended: dict[str, Result]) -> None:
        """Record that units have failed, for nobody will do them, and add how they ended."""
        _log.warning("%s; %d failed by it", printable(failure.message), len(units))
        for unit in units:
            record_failure(self._ledger, unit, failure.kind, failure.message, log_tail=failure.log)
        failed = {unit: self._ledger.outcome(unit) for unit in units}
        ended.update({unit: result for unit, result in failed.items() if result is not None})


def _plan_of(ledger: Ledger, stage: Stage) -> Plan:
    """What is fixed of a stage; one without a plan is a single job of its name."""
    return ledger.plan(stage) or Plan(stage=stage, requests=[], jobs=[ledger.job(stage)])


def wait(
    poll: Callable[[], P],
    launch: Callable[[Sequence[Job]], None],
    interval: float = 1.0,
    report: Callable[[P], None] = lambda progress: None,
    sleep: Callable[[float], None] = time.sleep,
) -> P:
    """Poll until all is done, report each look, and launch what it wants launched.

    Args:
        poll: looks once at what is waited for.
        launch: launches jobs.
        interval: seconds between two looks; at first they are shorter, and after slow looks longer.
        report: told of each look.
        sleep: waits for some seconds.
    """
    pause = interval / 8
    while True:
        began = time.monotonic()
        progress = poll()
        report(progress)
        if progress.done:
            return progress
        if progress.wanted:
            launch(progress.wanted)
        sleep(max(pause, min(_LONGEST, _SHARE * (time.monotonic() - began))))
        pause = min(interval, 1.2 * pause)
