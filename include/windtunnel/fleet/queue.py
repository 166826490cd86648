"""The mini-batches that a lane may claim, in its order: its own share first, then what others have left."""

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from windtunnel.errors import StoreError
from windtunnel.fleet.records import FleetPlan, batch_name, batch_number, ended
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.claims import Claim, Claims, under_way

_LOOK = 1.0  # seconds between two looks whether the lane may go on


class Claimed(NamedTuple):
    """A mini-batch that this lane has to do.

    Attributes:
        number: its place in the plan.
        begun: how often it was begun before.
    """

    number: int
    begun: int


class Queue:
    """Claims one mini-batch after another; two listings at first, and two more when its own share is done."""

    def __init__(
        self,
        ledger: Ledger,
        plan: FleetPlan,
        job: Job,
        lanes: int,
        launch: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is claimed yet.

        Args:
            ledger: of the run.
            plan: what the run does.
            job: the lane.
            lanes: how many there are.
            launch: number of the lane's launch.
            clock: seconds from any beginning.
        """
        self._ledger = ledger
        self._claims = Claims(ledger)
        self._plan = plan
        self._job = job
        self._launch = launch
        self._lanes = max(1, lanes)
        self._clock = clock
        self._looked = -math.inf
        self.ended = ""  # why nothing more is claimed, where the lane may not go on
        self._given: set[int] = set()
        self._found = self._look()

    def next(self) -> Claimed | None:
        """The next mini-batch, claimed; None where none can be had for now, or the lane may not go on.

        Raises:
            StoreError: the store failed; the next call looks anew.
        """
        if self._is_over():
            return None
        try:
            claimed = next(self._found, None)
        except StoreError:
            self._found = self._look()
            raise
        if claimed is not None:
            self._given.add(claimed.number)
        return claimed

    def _is_over(self) -> bool:
        """Whether others work in this lane's place; looked at now and then."""
        if not self.ended and self._clock() - self._looked > _LOOK:
            self._looked = self._clock()
            writer = self._ledger.writer()
            if writer is None or writer.number != self._job.session:
                self.ended = "a later session has begun"
            elif (latest := self._ledger.last_launch(self._job.job)) > self._launch:
                self.ended = f"launch {latest} works in place of launch {self._launch}"
        return bool(self.ended)

    def _look(self) -> Iterator[Claimed]:
        """What this lane held before, then its share, and then whatever a fresh listing shows to be free."""
        over, known = self._listed()
        for claim in under_way(known.values(), lane=self._job.job):
            number = batch_number(claim.unit)
            if 0 <= number < len(self._plan.batches) and number not in over and number not in self._given:
                yield Claimed(number, claim.number + len(self._ledger.attempts(claim.unit)))
        count, lane = len(self._plan.batches), self._job.lane % self._lanes
        yield from self._take(range(lane, count, self._lanes), over, known)
        while True:
            over, known = self._listed()
            taken = list(self._take(range(count), over, known, most=self._job.slots))
            if not taken:
                return
            yield from taken

    def _take(
        self, numbers: range, over: set[int], known: dict[str, Claim], most: int | None = None
    ) -> Iterator[Claimed]:
        taken = 0
        for number in numbers:
            if taken == most:
                return
            last = known.get(batch_name(number))
            if number in over or (last is not None and not last.released):
                continue
            claim = self._claims.take(batch_name(number), self._job.job, self._launch, last)
            if claim is not None:
                taken += 1
                begun = claim.number - 1
                yield Claimed(number, begun + len(self._ledger.attempts(claim.unit)) if begun else 0)

    def _listed(self) -> tuple[set[int], dict[str, Claim]]:
        known = self._claims.listing()  # before the results: a mini-batch without a claim has none
        return {one.number for one in ended(self._ledger)}, known
