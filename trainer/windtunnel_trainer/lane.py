"""A lane: claims one unit after the other, as long as the search has any."""

import math
import time
from collections import deque
from collections.abc import Callable

from windtunnel.definition import Definition
from windtunnel.errors import StoreError
from windtunnel.ledger import Job, Ledger, Request
from windtunnel.ledger.claims import Claim, Claims, under_way
from windtunnel.ledger.prediction import Features, timed_by
from windtunnel.ledger.queue import in_order, open_stages, requested, unfinished
from windtunnel.ledger.stage import Stage
from windtunnel_trainer.logs import say

_PAUSES, _METERED = (0.02, 2.0), (0.1, 10.0)  # least and most seconds between two looks for work where there was none
_SHARE = 0.1  # of the time without work that a look may add to it
_FEW = 4  # units of other lanes that are looked after at each claim
_TIMED = 200  # trials whose times correct what is predicted
_AGAIN = 5.0  # seconds between two corrections


class Lane:
    """What a lane's job works off: see `Source`.

    It goes on with what it held when it was launched before, then claims. It remembers the units that nobody has
    claimed yet, and those that others hold, as far as it has not seen them end; nothing of a unit that is settled.
    """

    def __init__(
        self,
        ledger: Ledger,
        job: Job,
        launch: int,
        definition: Definition,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Claim nothing yet.

        Args:
            ledger: of the run.
            job: the lane.
            launch: number of this launch of it: one that is not the latest any more claims nothing.
            definition: of the search.
            clock: seconds from any beginning.
        """
        self._ledger, self._job, self._launch, self._definition = ledger, job, launch, definition
        self._clock = clock
        self._claims = Claims(ledger)
        self._known: list[Stage] | None = None  # stages whose units are in the queue
        self._queue: list[Request] = []  # the next one last
        self._others: deque[tuple[Request, int]] = deque()  # what others hold, by which of its claims
        self._goes_on: deque[str] = deque()
        self._held: dict[str, Request] = {}
        self._timed: deque[tuple[Features, float]] = deque(maxlen=_TIMED)
        self._corrected = self._began = clock()
        self._worked = math.inf  # since when there is no work: not before the first look, which imports may delay
        self._due = self._began  # when to look for work again
        self._anew = 0.0  # seconds without work after which to look through all claims again
        self._ended = ""

    def next(self) -> str | None:
        """Claim the next unit; None where there is none for now, or where nothing more is to be claimed.

        Raises:
            StoreError: the store refused; asking again does no harm.
            LedgerError: a plan cannot be read.
        """
        self._worked = min(self._worked, self._clock())
        if self._clock() < self._due or self._over():
            return None
        try:
            unit = self._take()
        except StoreError:
            self._known = None  # something may be half done: the next look begins anew, from the claims
            raise
        moment = self._clock()
        if unit is None:
            least, most = _METERED if self._ledger.store.metered else _PAUSES
            self._due = moment + min(most, max(least, _SHARE * (moment - self._worked)))
            self._look_for_stragglers(moment - self._worked)
        else:
            self._worked, self._anew = moment, 0.0
        return unit

    def trial_time(self, unit: str) -> float | None:
        """The seconds that a unit of the lane's may take, by the stage that asked for it."""
        return self._definition.trial_time(self._held[unit].stage)

    def settle(self, unit: str) -> None:
        """Forget a unit of the lane's that has its result."""
        request = self._held.pop(unit, None)
        if request is not None:
            self._learn(request)
        self._worked = self._due = self._clock()
        self._anew = 0.0

    def done(self) -> bool:
        """Whether the lane ends, now that nothing runs on it: it may not go on, or was without work for too long."""
        linger = self._definition.limits.linger
        if not self._ended and self._clock() - self._worked >= linger:
            self._ended = f"there was nothing to do for {linger:g} s"
        if self._ended:
            say(self._ended)
        return bool(self._ended)

    def _over(self) -> bool:
        """Whether the lane claims nothing more."""
        limit = self._definition.limits.job_time
        if not self._ended and limit is not None and self._clock() - self._began > limit:
            self._ended = f"limits.job_time, {limit:g} s, is over: what launches lanes starts it anew"
        return bool(self._ended)

    def _take(self) -> str | None:
        writer = self._ledger.writer()
        if writer is None or writer.number != self._job.session:
            self._ended = "a later session has begun"
        elif (latest := self._ledger.last_launch(self._job.job)) > self._launch:
            self._ended = f"launch {latest} works in place of launch {self._launch}"
        if self._ended:
            return None
        stages = open_stages(writer)
        self._take_in(stages)
        few = _FEW if all(stage.is_iteration for stage in stages) else 0  # finalists come before stragglers
        return (
            self._go_on()
            or self._claim_released(min(few, len(self._others)))
            or self._claim_new()
            or self._claim_released(len(self._others))
        )

    def _look_for_stragglers(self, idle: float) -> None:
        """Let the next look begin anew, where finalists train: only what is claimed of the iterations is gone on with.

        A claim that was under way as the full training opened may have come after this lane's look at all claims.

        Args:
            idle: seconds without work; each time of this kind is twice the last.
        """
        if self._known and not all(stage.is_iteration for stage in self._known) and idle >= self._anew:
            self._known, self._anew = None, max(self._due - self._worked, 2 * idle)

    def _go_on(self) -> str | None:
        while self._goes_on:
            unit = self._goes_on[0]
            has_ended = self._ledger.outcome(unit) is not None
            self._goes_on.popleft()
            if not has_ended:
                return unit
            self._held.pop(unit)
        return None

    def _claim_new(self) -> str | None:
        while self._queue:
            request = self._queue.pop()
            if self._claim(request, None):
                return request.trial
        return None

    def _claim_released(self, most: int) -> str | None:
        """Look at so many of the units that others hold: forget what has ended, and claim what was released."""
        for _ in range(most):
            request, number = self._others.popleft()
            if self._learn(request):
                continue
            last = self._claims.read(request.trial, number)
            if last is not None and last.released:
                if self._claim(request, last):
                    return request.trial
            else:
                self._others.append((request, number))
        return None

    def _claim(self, request: Request, last: Claim | None) -> bool:
        """Claim a unit; one that another lane has, or that has a result, is left alone."""
        if self._ledger.outcome(request.trial) is not None:
            return False
        number = last.number + 1 if last else 1
        if self._claims.take(request.trial, self._job.job, self._launch, last) is None:
            self._others.append((request, number))
            return False
        self._held[request.trial] = request
        return True

    def _take_in(self, stages: list[Stage]) -> None:
        """Add the units of stages that are newly open, and drop those of stages that are not any more."""
        if stages == self._known:
            self._correct()
            return
        if self._known is None or not all(stage.is_iteration for stage in stages):
            self._begin(stages)
        else:
            new = [stage for stage in stages if stage not in self._known]
            self._queue = [request for request in self._queue if request.stage in stages]
            self._others = deque(other for other in self._others if other[0].stage in stages)
            self._queue += [request for request in requested(self._ledger, new) if request.trial not in self._held]
        self._known = stages
        self._correct(now=True)

    def _begin(self, stages: list[Stage]) -> None:
        """Look at all that is open, and find what this lane holds though it does not run it: from an earlier launch."""
        claims = self._claims.listing()
        ended = self._ledger.ended()
        requests = {request.trial: request for request in unfinished(self._ledger, stages, ended)}
        self._queue, self._others = [], deque()
        for claim in under_way(claims.values(), ended, self._job.job):
            if claim.unit in requests and claim.unit not in self._held:
                self._held[claim.unit] = requests[claim.unit]
                self._goes_on.append(claim.unit)
        for trial, request in requests.items():
            if trial in claims and trial not in self._held:
                self._others.append((request, claims[trial].number))
            elif trial not in claims:
                self._queue.append(request)

    def _learn(self, request: Request) -> bool:
        """Whether the unit has ended; how long it took corrects what is predicted."""
        result = self._ledger.outcome(request.trial)
        if result is None:
            return False
        if result.state.has_values and result.seconds > 0:
            self._timed.append(timed_by(request, result.seconds))
        return True

    def _correct(self, *, now: bool = False) -> None:
        """Bring the queue into order by the times known by now."""
        moment = self._clock()
        if now or moment - self._corrected > _AGAIN:
            self._corrected = moment
            self._queue = in_order(self._queue, self._timed)[::-1]
