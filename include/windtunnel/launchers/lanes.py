"""Keeping a session's lanes alive as long as there is work for them, and letting others do what a lost one held."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from windtunnel.definition import Definition
from windtunnel.errors import LaunchError
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.ledger import Job, Ledger, Plan
from windtunnel.ledger.claims import Claim, Claims, under_way
from windtunnel.ledger.failures import record_failure
from windtunnel.ledger.queue import open_stages, unfinished
from windtunnel.text import printable

_log = logging.getLogger(__name__)

_OTHER_LAUNCHES = 1  # that bring nothing about, beside those that a trial may cause which takes its lane down
_SPARE = 300.0  # seconds beyond a trial's own time-out after which its lane hangs
_MOST_BETWEEN = 60.0  # seconds between two looks; what is more was a wait for the store, in which trials waited too


def lanes_for(ledger: Ledger, definition: Definition, plan: Plan) -> list[Job]:
    """The lanes that a stage's trials need now, with those of earlier iterations; at least one, be it without work.

    Those that hold trials are among them, so that what becomes of these is seen in the stage.

    Args:
        ledger: of the run.
        definition: of the search.
        plan: of an iteration or a full training, whose queue is open.
    """
    stages = {plan.stage, *open_stages(ledger.writer())}
    claims, ended = Claims(ledger).listing(), ledger.ended()
    held = under_way(claims.values(), ended)
    holders = {claim.lane for claim in held}
    free = {request.trial for request in unfinished(ledger, stages, ended)} - {claim.unit for claim in held}
    needed = max(1, len(free) + len(holders))
    return [lane for lane in lanes(ledger, definition, needed) if lane.lane < needed or lane.job in holders]


def lanes(ledger: Ledger, definition: Definition, units: int) -> list[Job]:
    """The lanes of the session at work: `limits.parallel`, or where that is not given as many as there are units."""
    units = max(1, units)
    session = ledger.turn.number if ledger.turn is not None else 0
    most = definition.limits.parallel
    return [Job.of_lane(session, lane) for lane in range(units if most is None else most)]


@dataclass
class LaneWatch:
    """Looks after the lanes of a session, poll after poll.

    Each look compares the lanes that live with those that the open units need, so a lane that ended just before there
    was work is started again; so is one that holds a unit, for nobody else goes on with that. It starts none itself: it
    says which are to be launched. A lane is given up once it was launched too often since it last claimed a unit or had
    a result, or cannot be launched; what it held is released for the others. Only where none is left have the open
    units failed.

    Attributes:
        ledger: of the run.
        launcher: of the lanes.
        definition: of the search.
        lanes: that there may be.
        clock: seconds from any beginning.
    """

    ledger: Ledger
    launcher: Launcher
    definition: Definition
    lanes: Sequence[Job]
    clock: Callable[[], float] = time.monotonic
    _absent: dict[str, int] = field(default_factory=dict)
    _given_up: dict[str, JobFailure] = field(default_factory=dict)
    _starts: dict[str, tuple[int, int, float]] = field(default_factory=dict)  # of held units: claim, start, since when
    _looked: float | None = None
    _passed: float = 0.0  # seconds that count

    def look(
        self, live: set[str], owed: Sequence[str], claims: Mapping[str, Claim], ended: Mapping[str, float]
    ) -> tuple[list[Job], JobFailure | None]:
        """Find what is to be launched.

        Args:
            live: ids of the run's jobs that live.
            owed: the open units without a result.
            claims: the latest of each unit.
            ended: when the results of units were recorded, in seconds since 1970 by the store's clock.

        Returns:
            The lanes to be launched, and where none can be any more, why: then nobody will do what is owed.

        Raises:
            LaunchError: all lanes were cancelled while their results are awaited.
        """
        held = under_way(claims[unit] for unit in owed if unit in claims)
        wanted = self._end_hung(live, held)
        self._count_absences(live)
        self._release_strangers(held, live)
        living = [lane for lane in self.lanes if lane.job in live and lane not in wanted]
        holders = {claim.lane for claim in held}
        needed = min(len(self.lanes), len(owed) - len(held) + len(holders))
        missing = needed - len(living) - len(wanted)
        for lane in self._absentees(holders):
            if (missing <= 0 and lane.job not in holders) or (len(self._given_up) >= needed and not living):
                break
            failure = self._given_up.get(lane.job) or self._why_not(lane, claims, ended)
            if failure is None:
                self._absent[lane.job] = 0
                wanted.append(lane)
                missing -= 1
            elif lane.job not in self._given_up:
                self._give_up(lane, failure, held)
        if not owed or living or wanted or len(self._given_up) < needed:
            return wanted, None
        return [], self._failure()

    def _count_absences(self, live: set[str]) -> None:
        for lane in self.lanes:
            self._absent[lane.job] = 0 if lane.job in live else self._absent.get(lane.job, 0) + 1

    def _absentees(self, holders: Collection[str]) -> list[Job]:
        """Lanes that two looks in a row missed, or that cannot be launched; those that hold units go on first."""
        gone = [lane for lane in self.lanes if self._absent[lane.job] > 1 or self._is_refused(lane)]
        return sorted(gone, key=lambda lane: (lane.job not in holders, lane.lane))

    def _is_refused(self, lane: Job) -> bool:
        return self._absent[lane.job] > 0 and self.ledger.refused_launch(lane.job) is not None

    def _why_not(self, lane: Job, claims: Mapping[str, Claim], ended: Mapping[str, float]) -> JobFailure | None:
        """Why a lane that is gone is not to be launched again; None where it is."""
        refused = self.ledger.refused_launch(lane.job)
        if refused is not None:
            return JobFailure(*refused)
        launches = self.ledger.launch_times(f"{lane.job}/").get(lane.job, [])
        if not launches:
            return None
        own = [claim for claim in claims.values() if claim.lane == lane.job]
        results = [ended[claim.unit] for claim in own if claim.unit in ended]
        progress = max([*(claim.since for claim in own), *results], default=0.0)
        futile = sum(launched > progress for launched in launches)
        attempts = (attempt for claim in under_way(own, ended) for attempt in self.ledger.attempts(claim.unit))
        given_back = sum(attempt.preempted for attempt in attempts)
        too_often = futile > _OTHER_LAUNCHES + 1 + self.definition.limits.trial_retries + given_back
        if too_often or not self.launcher.may_relaunch(self.ledger, lane):
            return self.launcher.failure_reason(self.ledger, lane)
        return None

    def _give_up(self, lane: Job, failure: JobFailure, held: Iterable[Claim]) -> None:
        self._given_up[lane.job] = failure
        if failure.kind == "cancelled":
            return
        left = under_way(held, lane=lane.job)
        _log.warning(
            "%s; %s is given up, and %d units are left to others", printable(failure.message), lane.job, len(left)
        )
        self.launcher.cancel(self.ledger, [lane.job])  # what is given up must not begin later
        for claim in left:
            Claims(self.ledger).release(claim)

    def _failure(self) -> JobFailure:
        """Why nobody will do what is owed."""
        failures = [failure for failure in self._given_up.values() if failure.kind != "cancelled"]
        if not failures:
            words = next(iter(self._given_up.values())).message
            raise LaunchError(f"{words} while its results are awaited: launch it again to go on")
        return failures[0]

    def _release_strangers(self, held: Iterable[Claim], live: set[str]) -> None:
        """Release what lanes hold that are not of this session, unless they live."""
        own = {lane.job for lane in self.lanes}
        for claim in held:
            if claim.lane not in own and claim.lane not in live:
                Claims(self.ledger).release(claim)

    def _end_hung(self, live: set[str], held: Sequence[Claim]) -> list[Job]:
        """End lanes that should have ended a trial themselves long ago; they are to be launched anew."""
        moment = self._time_passed()
        self._starts = {claim.unit: self._starts.get(claim.unit, (0, 0, moment)) for claim in held}
        hung: dict[str, Claim] = {}
        for claim in held:
            number, start, since = self._starts[claim.unit]
            if claim.number != number:
                self._starts[claim.unit] = claim.number, 1, moment
                continue
            limit = self._longest(claim.unit) if claim.lane in live else None
            if limit is None or moment - since <= limit + _SPARE:
                continue
            begun = self.ledger.attempts(claim.unit, 1)
            if begun and begun[-1].number == start:
                hung[claim.lane] = claim
            else:  # it was started again meanwhile, or its lane has not come to it
                self._starts[claim.unit] = number, begun[-1].number if begun else 1, moment
        return [lane for lane in self.lanes if lane.job in hung and self._end(lane, hung[lane.job], held)]

    def _time_passed(self) -> float:
        """Seconds since the first look, without those in which nobody could look."""
        now = self.clock()
        self._passed += min(_MOST_BETWEEN, now - self._looked) if self._looked is not None else 0.0
        self._looked = now
        return self._passed

    def _longest(self, unit: str) -> float | None:
        if self.definition.limits.trial_time is None:
            return None
        return self.definition.trial_time(self.ledger.request(unit).stage)

    def _end(self, lane: Job, claim: Claim, held: Sequence[Claim]) -> bool:
        """End a lane that hangs; False where that cannot be done, so that others do what it held."""
        words = f"job {lane.job} hung: {claim.unit} runs for longer than limits.trial_time allows"
        self.ledger.mark_taken_down(claim.unit, self.ledger.attempts(claim.unit, 1)[-1], "timeout", words)
        try:
            self.launcher.cancel(self.ledger, [lane.job])
        except LaunchError as error:
            self._given_up[lane.job] = JobFailure("timeout", f"{words}, and {error}")
            for one in under_way(held, lane=lane.job):
                Claims(self.ledger).release(one)
            return False
        _log.warning("%s: it is started anew", words)
        return True


def end_other_sessions(ledger: Ledger, launcher: Launcher) -> None:
    """End what earlier sessions have left running, and release what their lanes held."""
    session = ledger.turn.number if ledger.turn is not None else 0
    older = [job for job in launcher.live(ledger) if (lane := Job.named_lane(job)) is None or lane.session != session]
    if older:
        launcher.cancel(ledger, older)
    for claim in under_way(Claims(ledger).listing().values(), ledger.ended()):
        lane = Job.named_lane(claim.lane)
        if lane is None or lane.session != session:
            Claims(ledger).release(claim)


def end_idle(ledger: Ledger, launcher: Launcher) -> None:
    """End the lanes that have nothing to do: none is held while a person is waited for."""
    live = {job for job in launcher.live(ledger) if Job.named_lane(job)}
    if not live:
        return
    busy = {claim.lane for claim in under_way(Claims(ledger).listing().values(), ledger.ended())}
    if live - busy:
        launcher.cancel(ledger, live - busy)


def launch(ledger: Ledger, launcher: Launcher, jobs: Iterable[Job], say: Callable[[str], None]) -> None:
    """Launch jobs. That one cannot be launched is recorded, and told.

    Raises:
        UnavailableError: the store does not answer.
    """
    for job in jobs:
        try:
            launcher.launch(ledger, job)
        except LaunchError as error:
            say(f"job {job.job} cannot be launched: {error}")
            record_unlaunched(ledger, job, error)


def record_unlaunched(ledger: Ledger, job: Job, error: Exception) -> None:
    """Record that a job cannot be launched: its units have failed, and a lane leaves them to the others.

    Args:
        ledger: of the run.
        job: that cannot be launched.
        error: why; its `kind`, if it has one, is the failures'.
    """
    kind = getattr(error, "kind", "launch_failed")
    if job.session is not None:
        ledger.refuse_launch(job.job, kind, str(error))
    for unit in job.units:
        record_failure(ledger, unit, kind, str(error))
