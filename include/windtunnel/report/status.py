"""How far a run is, from a few cheap looks at its ledger."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from windtunnel.definition import Definition, recorded_definition
from windtunnel.direction import best
from windtunnel.errors import LedgerError
from windtunnel.ledger import Job, Ledger, Plan, Result, State
from windtunnel.ledger.stage import Stage

_OVERHEAD = 2.0  # seconds that a stage takes beside its trials, until one has been seen


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage of a run.

    Attributes:
        name: see `Stage`.
        title: for people.
        total: its units.
        finished: those that have a result.
        failed: those of the finished that failed.
        running: those that are at work now.
        front: how many trials are on the front, once an iteration has selected.
        best: the best value of the first objective so far, once an iteration has selected.
    """

    name: str
    title: str
    total: int = 0
    finished: int = 0
    failed: int = 0
    running: int = 0
    front: int | None = None
    best: float | None = None

    @property
    def done(self) -> bool:
        """Whether all its units have a result."""
        return 0 < self.total == self.finished


@dataclass(frozen=True, slots=True)
class Status:
    """A run at one moment.

    Attributes:
        stages: those that have begun, in order.
        coming: titles of those that have not.
        best: the best value of the first objective among the trials that searched.
        objective: the first objective's name.
        front: how many trials are on the front of the last selection.
        failed: how many trials have failed.
        left: about how many seconds are left; None while nothing can be said.
    """

    stages: list[StageStatus] = field(default_factory=list)
    coming: list[str] = field(default_factory=list)
    objective: str = ""
    best: float | None = None
    front: int = 0
    failed: int = 0
    left: float | None = None


class Observer:
    """Looks at a run again and again: a look is one listing each of stages, results, steps and live jobs.

    Plans and selections never change, so each is read once.
    """

    def __init__(self, ledger: Ledger, live: Callable[[], Collection[str]]) -> None:
        """Observe a run, begun or not.

        Args:
            ledger: of the run.
            live: gives the ids of its jobs that live now.
        """
        self._ledger = ledger
        self._live = live
        self._definition: Definition | None = None
        self._last_iteration = 0
        self._plans: dict[Stage, Plan] = {}
        self._fronts: dict[str, int] = {}
        self._prepare: Job | None = None

    def look(self) -> Status:
        """How far the run is now."""
        if self._definition is None and not self._begin():
            return Status(coming=["data"])
        assert self._definition is not None
        self._read_plans()
        outcomes, steps, live = self._ledger.outcomes(), self._ledger.step_outcomes(), self._live()
        stages = [self._stage(stage, outcomes, steps, live) for stage in self._known_stages()]
        searched = [outcomes[trial] for trial in self._searched() if trial in outcomes]
        return Status(
            stages=stages,
            coming=self._coming(),
            objective=next(iter(self._definition.objectives)),
            best=self._best(searched),
            front=self._fronts[max(self._fronts, key=int)] if self._fronts else 0,
            failed=sum(outcome.state is State.FAILED for outcome in outcomes.values()),
            left=self._left(outcomes),
        )

    def _begin(self) -> bool:
        try:
            definition = recorded_definition(self._ledger)
            session = self._ledger.sessions()[-1]
        except (LedgerError, IndexError):
            return False
        self._definition = definition
        self._last_iteration = session.offset + session.iterations
        return True

    def _read_plans(self) -> None:
        for name in self._ledger.stages():
            if name not in self._plans and (plan := self._ledger.plan(name)):
                self._plans[name] = plan
            if name.is_iteration and name not in self._fronts and (known := self._ledger.known(name)):
                self._fronts[name] = len(known.front)
                if known.stop or known.failure:
                    self._last_iteration = min(self._last_iteration, int(name))
        if self._prepare is None:
            self._prepare = self._ledger.preparation()

    def _known_stages(self) -> list[Stage]:
        """The stages in the order that they happen; a finished run that was extended has several full trainings."""
        preparation = [Stage.preparation(0)] if self._prepare else []
        return preparation + sorted(self._plans, key=lambda stage: stage.order)

    def _stage(
        self, name: Stage, outcomes: dict[str, Result], steps: dict[str, Result], live: Collection[str]
    ) -> StageStatus:
        jobs = self._plans[name].jobs if name in self._plans else [self._prepare] if self._prepare else []
        requests = self._plans[name].requests if name in self._plans else []
        units = [request.trial for request in requests] or [unit for job in jobs for unit in job.units]
        ended = [found for unit in units if (found := outcomes.get(unit) or steps.get(unit))]
        left = {job.job: len(job.owed(outcomes | steps)) for job in jobs}
        return StageStatus(
            name=name,
            title=name.label,
            total=len(units),
            finished=len(ended),
            failed=sum(outcome.state is State.FAILED for outcome in ended),
            running=sum(min(job.slots, left[job.job]) for job in jobs if job.job in live),
            front=self._fronts.get(name),
            best=self._best(ended) if name in self._fronts else None,
        )

    def _searched(self) -> list[str]:
        return [request.trial for name, plan in self._plans.items() if name.is_iteration for request in plan.requests]

    def _best(self, outcomes: Collection[Result]) -> float | None:
        assert self._definition is not None
        name, direction = next(iter(self._definition.objectives.items()))
        values = [outcome.objectives[name] for outcome in outcomes if outcome.feasible and name in outcome.objectives]
        return best(values, direction)

    def _coming(self) -> list[str]:
        begun = [name.number for name in self._plans if name.is_iteration]
        coming = [] if self._prepare else ["data"]
        coming += [Stage.iteration(k).label for k in range(max(begun, default=0) + 1, self._last_iteration + 1)]
        coming += ["full training"] if Stage.full(self._last_iteration) not in self._plans else []
        coming += ["verification"] if Stage.full(self._last_iteration).verification not in self._plans else []
        return coming

    def _left(self, outcomes: dict[str, Result]) -> float | None:
        """Seconds of what is to come, by what a unit of predicted cost has taken so far, shared out among the lanes."""
        assert self._definition is not None
        requests = {request.trial: request for plan in self._plans.values() for request in plan.requests}
        ended = [request for request in requests.values() if _took(outcomes.get(request.trial))]
        if not ended:
            return None
        spent = sum(outcomes[request.trial].seconds for request in ended)
        rate = spent / max(sum(request.cost for request in ended), 1e-9)
        cost = sum(request.cost for request in requests.values() if request.trial not in outcomes)
        coming = self._coming()
        searched = [requests[trial] for trial in self._searched()]
        mean = sum(request.cost for request in searched) / max(len(searched), 1)
        cost += sum(title.startswith("iteration") for title in coming) * self._definition.trials.per_iteration * mean
        if "full training" in coming:
            epochs = self._definition.epochs
            share = (epochs.full - (epochs.partial if self._definition.finalists.go_on else 0)) / epochs.partial
            cost += self._definition.finalists.max * mean * share
        lanes = self._definition.limits.parallel or max(len(plan.jobs) for plan in self._plans.values())
        return rate * cost / lanes + _OVERHEAD * (len(coming) + 1)


def _took(outcome: Result | None) -> bool:
    return outcome is not None and outcome.state.has_values and outcome.seconds > 0
