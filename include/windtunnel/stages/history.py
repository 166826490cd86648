"""What a stage knows of its run: fixed by the iterations' records, so that a stage done again knows the same."""

from collections.abc import Iterable
from functools import cached_property

from windtunnel.ledger import Ledger, Plan, Request, Result, Selection, Trial
from windtunnel.ledger.plans import copied_plans, read_plans, write_plans
from windtunnel.ledger.reading import unreadable
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.trial import ended, furthest


class History:
    """A run as it was when a stage began. A stage reads it once and hands it down.

    Whatever the number of iterations, it costs a listing of stages, a read of all plans and a listing of results, each
    when it is first asked for, and a read for each selection that is asked for.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Read nothing yet.

        Args:
            ledger: of the run.
        """
        self.ledger = ledger
        self._selections: dict[int, Selection | None] = {}

    @cached_property
    def plans(self) -> dict[Stage, Plan]:
        """Of all stages that are planned, in the order in which they happen."""
        return read_plans(self.ledger, self._stages[0], self._copied)

    @cached_property
    def results(self) -> dict[str, Result]:
        """How those trials ended that have a result."""
        return self.ledger.outcomes()

    @property
    def iterations_done(self) -> int:
        """How many iterations have selected."""
        return max((stage.number for stage in self._stages[1]), default=0)

    def selection(self, k: int) -> Selection | None:
        """What iteration k's selection knew and decided; None where it has not selected."""
        if k not in self._selections:
            stage = Stage.iteration(k)
            self._selections[k] = self.ledger.selection(stage) if stage in self._stages[1] else None
        return self._selections[k]

    def requests(self, upto: int) -> dict[str, Request]:
        """All trials asked for in iterations 0 (the warm start) to `upto`, in order, by id."""
        plans = [plan for stage, plan in self.plans.items() if stage.is_iteration and stage.number <= upto]
        return {request.trial: request for plan in plans for request in plan.requests}

    def trials(self, upto: int) -> list[Trial]:
        """How far each configuration had come when iteration `upto` had selected; none before the first selection."""
        selection = self.selection(upto)
        if selection is None:
            return []
        return furthest(ended(self.requested(selection.results, upto), self.results))

    def requested(self, trials: Iterable[str], upto: int) -> list[Request]:
        """What was asked of trials that iteration `upto` selected from.

        Raises:
            UnreadableError: one of them is in no plan, so that plans and selection are not of one run.
        """
        requests, names = self.requests(upto), list(trials)
        strange = next((trial for trial in names if trial not in requests), None)
        if strange is not None:
            path = self.ledger.path(f"iterations/{upto}/known.json")
            raise unreadable(self.ledger.store, path, f"names {strange}, which no plan.json beside it has")
        return [requests[trial] for trial in names]

    def plan(self, stage: Stage) -> Plan | None:
        """The stage's plan, if it is fixed, for whoever works on the stage: all that follows from it is written."""
        plan = self.plans.get(stage)
        return plan if plan is None or stage in self._copied else self.create_plan(plan)

    def create_plan(self, plan: Plan) -> Plan:
        """Fix a stage's plan unless it is fixed, write what follows from it, and return the one that holds.

        The copy of all plans comes last: of those that it lacks a process may have died over what follows from them.
        """
        unfinished = [one for stage, one in self.plans.items() if stage not in self._copied and stage != plan.stage]
        for one in unfinished:
            self.ledger.create_plan(one)
        plan = self.ledger.create_plan(plan)
        self.plans[plan.stage] = plan
        write_plans(self.ledger, self.plans.values())
        self._copied |= self.plans
        return plan

    @cached_property
    def _copied(self) -> dict[Stage, Plan]:
        return copied_plans(self.ledger)

    @cached_property
    def _stages(self) -> tuple[list[Stage], list[Stage]]:
        return self.ledger.stage_records()
