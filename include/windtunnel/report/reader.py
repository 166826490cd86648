"""Reads a run again and again: each time only what may have changed since."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from windtunnel.direction import loss
from windtunnel.errors import LedgerError, StoreError, UnavailableError
from windtunnel.front import hypervolumes, pareto_front, reference_point
from windtunnel.ledger import Job, Known, Ledger, Plan, Request, Result, State
from windtunnel.ledger.ids import full_stage, is_trial, verification_id
from windtunnel.ledger.records import Session
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.report.rows import asked, ended
from windtunnel.report.view import RUNNING, WAITING, IterationView, ModelView, RunView, StepView, TrialView, contenders

_FEW = 32  # results still to come up to which each is asked for rather than all listed
_AT_ONCE = 8  # requests to the store
_MOST_TEXT = 10_000  # characters of a message, or of a log's end, that are kept


def collect(ledger: Ledger) -> RunView:
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
        self._sessions: dict[str, Session] = {}
        self._closed = False
        self._answered: tuple[str, str] | None = None
        self._asking = False
        self._plans: dict[Stage, Plan] = {}
        self._known: dict[str, Known] = {}
        self._prepare: Job | None = None
        self._outcomes: dict[str, Result] | None = None
        self._reasons: dict[str, Result] = {}
        self._launches: dict[str, list[float]] = {}
        self._rows: dict[str, TrialView] = {}
        self._volumes: tuple[tuple[Any, ...], list[float | None]] = ((), [])

    def read(self) -> RunView:
        """The run as it is now.

        Raises:
            LedgerError: the run has not begun.
            StoreError: the store cannot be reached.
        """
        with self._lock:
            if not self._record:
                self._record = self.ledger.search_record()
            self._read_sessions()
            self._read_stages()
            self._read_approval()
            self._read_outcomes()
            self._read_reasons()
            return self._view()

    def _read_sessions(self) -> None:
        entries = self.ledger.store.list(self.ledger.path("sessions/"))
        if sum(1 for _ in entries) != len(self._sessions):
            self._sessions = {session.session: session for session in self.ledger.sessions()}
            self._closed = False
        latest = self._latest()
        if latest is not None and not self._closed:
            # What is left after publishing is the report and tidying up, and the report must not wait for itself.
            self._closed = self.ledger.closed(latest.session) or self.ledger.finished(latest.session)

    def _latest(self) -> Session | None:
        return max(self._sessions.values(), key=lambda session: session.started, default=None)

    def _read_stages(self) -> None:
        for name in self.ledger.stages():
            if name not in self._plans and (plan := self.ledger.plan(name)):
                self._plans[name] = plan
            if name.is_iteration and name not in self._known and (known := self.ledger.known(name)):
                self._known[name] = known
        if self._prepare is None or not self._plans:
            self._prepare = self.ledger.preparation()

    def _full_training(self) -> Plan | None:
        """That of the latest session, once it is planned."""
        done = max(map(int, self._known), default=0)
        return self._plans.get(full_stage(done, self._sessions.values(), chosen=self._record.get("origin") is not None))

    def _read_approval(self) -> None:
        latest, plan = self._latest(), self._full_training()
        if self._closed or latest is None or plan is None or not latest.definition.get("approval"):
            self._asking = False
        elif self._answered != (latest.session, plan.stage):
            approval = self.ledger.approval()
            self._asking = approval is None or not approval.answers(latest.session, plan.stage)
            self._answered = None if self._asking else (latest.session, plan.stage)

    def _jobs(self) -> list[Job]:
        return ([self._prepare] if self._prepare else []) + [job for plan in self._plans.values() for job in plan.jobs]

    def _read_outcomes(self) -> None:
        if self._outcomes is None:
            self._outcomes = self.ledger.outcomes() | self.ledger.step_outcomes()
            self._launches = self.ledger.launch_times()
        found = self._outcomes
        asked = [request.trial for plan in self._plans.values() for request in plan.requests]
        open_jobs = [job for job in self._jobs() if job.owed(found)]
        left = {unit for unit in asked if unit not in found}
        left.update(unit for job in open_jobs for unit in job.owed(found))
        for stage in {job.stage for job in open_jobs}:
            self._launches |= self.ledger.launch_times(stage.jobs)
        if len(left) > _FEW:
            found |= self.ledger.outcomes() if any(map(is_trial, left)) else {}
            found |= {} if all(map(is_trial, left)) else self.ledger.step_outcomes()
        elif left:
            found |= {outcome.trial: outcome for outcome in _at_once(self.ledger.outcome, left) if outcome}

    def _read_reasons(self) -> None:
        """Why a trial failed or was stopped stands in its result only."""
        assert self._outcomes is not None
        explained = [name for name, each in self._outcomes.items() if each.state in (State.FAILED, State.STOPPED)]
        unread = [name for name in explained if name not in self._reasons]
        self._reasons |= {result.trial: result for result in _at_once(self._reason, unread) if result}

    def _reason(self, name: str) -> Result | None:
        """A result, its texts no longer than anybody reads; one that cannot be read does not hide the others."""
        try:
            result = self.ledger.result(name)
        except (LedgerError, StoreError) as error:
            if isinstance(error, UnavailableError):
                raise
            return Result(trial=name, state=State.FAILED, message=f"its record cannot be read: {error}")
        if result is None:
            return None
        shortened = {"message": result.message[:_MOST_TEXT], "log_tail": result.log_tail[-_MOST_TEXT:]}
        return result.model_copy(update=shortened)

    def _view(self) -> RunView:
        latest, full = self._latest(), self._full_training()
        definition: dict[str, Any] = latest.definition if latest else self._record["definition"]
        objectives: dict[str, str] = definition["objectives"]
        searched = [plan for stage, plan in sorted(self._plans.items(), key=_when) if stage.is_iteration]
        last = self._known[max(self._known, key=int)] if self._known else None
        trials = self._trials(searched, objectives, last)
        reference = last.reference if last else reference_point(contenders(trials), objectives)
        return RunView(
            search=self.ledger.search,
            run=self.ledger.run,
            url=self.ledger.url,
            version=self._version(trials),
            read=datetime.now(UTC).isoformat(timespec="seconds"),
            definition=definition,
            facts={key: value for key, value in self._record.items() if key != "definition"},
            objectives=objectives,
            reference=reference,
            counts=_counts(trials),
            sessions=[
                {"session": session.session, "started": session.started}
                for session in sorted(self._sessions.values(), key=lambda session: session.started)
            ],
            closed=self._closed,
            offset=latest.offset if latest else 0,
            planned=latest.offset + latest.iterations if latest else definition["iterations"],
            finalists=[request.trial for request in full.requests] if full else [],
            asking=self._asking,
            iterations=[self._iteration(plan) for plan in searched],
            trials=trials,
            volumes=self._volumes_of(trials, objectives, reference),
            models=self._models(objectives),
            steps=self._steps(),
            launches=dict(self._launches),
        )

    def _version(self, trials: list[TrialView]) -> str:
        running = [trial.trial for trial in trials if trial.state == RUNNING]
        counted = (self._plans, self._known, self._outcomes or (), self._sessions, self._launches)
        facts = [self.ledger.url, *map(len, counted), self._closed, self._asking, *running]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def _trials(self, plans: Iterable[Plan], objectives: Mapping[str, str], last: Known | None) -> list[TrialView]:
        requests = _once(request for plan in plans for request in plan.requests)
        jobs, turn = self._places()
        rows = [self._row(number, request, jobs, turn, objectives) for number, request in enumerate(requests, 1)]
        front = set(last.front) if last else {row.trial for row in pareto_front(contenders(rows), objectives)}
        for place, row in enumerate(rows):
            if row.front != (row.trial in front):
                rows[place] = self._rows[row.trial] = replace(row, front=row.trial in front)
        return rows

    def _places(self) -> tuple[dict[str, Job], set[str]]:
        """The job of each unit, and the units whose turn it is in the jobs that were launched."""
        assert self._outcomes is not None
        jobs = {unit: job for job in self._jobs() for unit in job.units}
        turn: set[str] = set()
        for job in self._jobs():
            if job.job in self._launches:
                turn.update(job.owed(self._outcomes)[: job.slots])
        return jobs, turn

    def _row(
        self,
        number: int,
        request: Request,
        jobs: Mapping[str, Job],
        turn: set[str],
        objectives: Mapping[str, str],
    ) -> TrialView:
        assert self._outcomes is not None
        outcome = self._outcomes.get(request.trial)
        state = outcome.state.value if outcome else RUNNING if request.trial in turn else WAITING
        row = self._rows.get(request.trial)
        if row is None or row.state != state or row.number != number:
            facts = asked(request, jobs.get(request.trial), objectives) | {"number": number, "state": state}
            if outcome:
                facts |= ended(facts, outcome, self._reasons.get(request.trial), objectives)
            row = self._rows[request.trial] = TrialView(**facts)
        return row

    def _iteration(self, plan: Plan) -> IterationView:
        assert self._outcomes is not None
        finished = sum(request.trial in self._outcomes for request in plan.requests)
        view = IterationView(stage=plan.stage, planned=len(plan.requests), finished=finished, note=plan.note)
        known = self._known.get(plan.stage)
        if known is None:
            return view
        return replace(
            view,
            front=known.front,
            hypervolume=known.hypervolume,
            decisions=[decision.model_dump() for decision in known.decisions],
            stop=known.stop,
            failure=known.failure,
            selected=True,
        )

    def _models(self, objectives: Mapping[str, str]) -> list[ModelView]:
        full = [plan for name, plan in self._plans.items() if name.kind is StageKind.FULL]
        jobs, turn = self._places()
        models = []
        for number, request in enumerate(_once(request for plan in full for request in plan.requests), 1):
            trial = self._row(number, request, jobs, turn, objectives)
            models.append(self._model(ModelView(trial=trial, partial=request.continue_from)))
        first = next(iter(objectives))
        return sorted(models, key=lambda model: _loss(model.trial.objectives.get(first), objectives[first]))

    def _model(self, model: ModelView) -> ModelView:
        assert self._outcomes is not None
        if model.trial.state == State.FAILED:
            return replace(model, verified=False, error=model.trial.message)
        step = self._outcomes.get(verification_id(model.trial.trial))
        if step is None:
            return model
        failure = self._reasons.get(step.trial)
        return replace(
            model,
            verified=step.state is State.COMPLETED,
            test=step.metrics,
            error=failure.message if failure else "",
            onnx=f"trials/{model.trial.trial}/model.onnx",
        )

    def _steps(self) -> list[StepView]:
        assert self._outcomes is not None
        units = [(job, unit) for job in self._jobs() for unit in job.units if not is_trial(unit)]
        found = [(job, self._outcomes[unit]) for job, unit in units if unit in self._outcomes]
        return [
            StepView(each.trial, job.stage, job.lane, each.state.value, each.seconds, each.started)
            for job, each in found
        ]

    def _volumes_of(
        self, trials: list[TrialView], objectives: Mapping[str, str], reference: list[float]
    ) -> list[float | None]:
        """Worked out again only where a trial has ended since."""
        counting = {trial.trial for trial in contenders(trials)}
        key = (len(trials), sum(trial.state not in (RUNNING, WAITING) for trial in trials), *reference)
        if key != self._volumes[0]:
            whole = [trial if trial.trial in counting else None for trial in trials]
            self._volumes = (key, hypervolumes(whole, objectives, reference))
        return self._volumes[1]


def _at_once(read: Any, names: Iterable[str]) -> list[Any]:
    names = list(names)
    if len(names) < 2:
        return [read(name) for name in names]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(read, names))


def _loss(value: float | None, direction: str) -> float:
    return math.inf if value is None else loss(value, direction)


def _when(planned: tuple[Stage, Plan]) -> tuple[bool, int, int]:
    return planned[0].order


def _once(requests: Iterable[Request]) -> list[Request]:
    return list({request.trial: request for request in requests}.values())


def _counts(trials: Iterable[TrialView]) -> dict[str, int]:
    counts = {state.value: 0 for state in State} | {RUNNING: 0, WAITING: 0}
    for trial in trials:
        counts[trial.state] += 1
    return counts
