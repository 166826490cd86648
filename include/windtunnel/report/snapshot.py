"""A run at one moment: what its ledger held when it was read, and what follows from that."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from windtunnel.ledger import Approval, Decision, Job, Model, Plan, Result, Selection, State, Trial
from windtunnel.ledger.claims import Claim, under_way
from windtunnel.ledger.ids import full_stage, is_trial
from windtunnel.ledger.model import best_first
from windtunnel.ledger.session import Session
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.ledger.trial import averaged, feasible_trials
from windtunnel.objectives.front import hypervolumes, pareto_front, reference_point

WAITING = "waiting"  # the state of a trial that is planned and has neither started nor ended
RUNNING = "running"  # the state of a trial without a result whose job was launched and whose turn has come
CANCELLED = "cancelled"  # what a running trial is when its run works no more
NOT_RUN = "not run"  # what a waiting trial is then
UNENDED = (RUNNING, WAITING, CANCELLED, NOT_RUN)


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment. Its fields are what was read; what follows from them is worked out when it is first used.

    Attributes:
        search: the search's name.
        run: the run's name.
        url: of its ledger.
        read: when it was read, ISO 8601 in UTC.
        record: the content of `search.json`.
        sessions: the DAG runs that worked on it, the earliest first.
        closed: whether the latest session has nothing left to do but to write the report and to tidy up.
        end: what was said when the latest session ended without an outcome; None where it goes on, or came to one.
        approval: a person's latest word on the finalists, where one is asked for.
        preparation: the job that prepares the data, once there is one.
        plans: of the stages that have begun, in the order in which they happen.
        selections: what each iteration's selection knew and decided, in order.
        results: how trials and other units ended, by id.
        claims: which lane runs or ran each trial, by trial.
        launches: when each job was launched, in seconds since 1970 by the store's clock.
        exported: SHA-256 of the finalists' ONNX files, by trial; those without a file are left out.
        blocked: why the store takes no writes, where it tells; see `Store.refusal`.
    """

    search: str
    run: str
    url: str
    read: str
    record: Mapping[str, Any]
    sessions: list[Session]
    closed: bool
    end: Decision | None
    approval: Approval | None
    preparation: Job | None
    plans: Mapping[Stage, Plan]
    selections: Mapping[Stage, Selection]
    results: Mapping[str, Result]
    claims: Mapping[str, Claim]
    launches: Mapping[str, list[float]]
    exported: Mapping[str, str]
    blocked: str = ""

    @property
    def session(self) -> Session | None:
        """The latest session, if one has begun."""
        return self.sessions[-1] if self.sessions else None

    @property
    def definition(self) -> dict[str, Any]:
        """The definition as the latest session has it."""
        return dict(self.session.definition if self.session else self.record["definition"])

    @cached_property
    def objectives(self) -> dict[str, str]:
        """`maximize` or `minimize` by the objective's name, the first objective first."""
        return dict(self.definition["objectives"])

    @property
    def offset(self) -> int:
        """How many iterations had selected when the latest session began."""
        return self.session.offset if self.session else 0

    @property
    def planned(self) -> int:
        """The last iteration that the latest session may perform."""
        return self.session.offset + self.session.iterations if self.session else self.definition["iterations"]

    @property
    def warm_start(self) -> str:
        """What was taken from earlier runs, and why the rest was not; empty without a warm start."""
        plan = self.plans.get(Stage.iteration(0))
        return plan.note if plan is not None else ""

    @property
    def last_iteration(self) -> int:
        """The last iteration of the latest session: the planned one, or an earlier one that ended the search."""
        own = {stage.number: each for stage, each in self.selections.items() if stage.number > self.offset}
        return min([self.planned, *(number for number, each in own.items() if each.stop or each.failure)])

    @property
    def failure(self) -> str | None:
        """Why the latest session failed; None where it did not."""
        own = [each.failure for stage, each in self.selections.items() if stage.number > self.offset and each.failure]
        if own:
            return own[-1]
        return self.end.reason if self.end is not None else None

    @property
    def works(self) -> bool:
        """Whether anything may still run: the latest session has neither come to an outcome nor failed."""
        return not self.closed and self.failure is None

    @property
    def at_work(self) -> int | None:
        """Number of the session whose heart should beat; None where none is at work, or a person is waited for."""
        return self.session.number if self.session is not None and self.works and not self.asking else None

    @property
    def refusal(self) -> Approval | None:
        """A person's word that ended the latest session, if it was that."""
        approval, session = self.approval, self.session
        if approval is None or session is None or approval.approved or approval.session != session.session:
            return None
        return approval

    @property
    def ended_early(self) -> str | None:
        """Why the latest session ended its search before the last iteration that it might perform; None otherwise."""
        own = [each for stage, each in self.selections.items() if self.offset < stage.number < self.planned]
        return own[-1].stop if own else None

    @property
    def asking(self) -> bool:
        """Whether a person has yet to approve the finalists."""
        session, stage = self.session, self.full_training()
        if not self.works or session is None or not session.definition.get("approval") or stage not in self.plans:
            return False
        return self.approval is None or not self.approval.answers(session.session, stage)

    def full_training(self, iterations: int | None = None) -> Stage:
        """The stage that trains the finalists fully, after so many iterations or those that have selected."""
        done = max((stage.number for stage in self.selections), default=0) if iterations is None else iterations
        return full_stage(done, self.sessions, chosen=self.record.get("origin") is not None)

    @property
    def last_selection(self) -> Selection | None:
        """What the last iteration that has selected knew and decided."""
        return list(self.selections.values())[-1] if self.selections else None

    # Trials

    @cached_property
    def trials(self) -> list[Trial]:
        """The trials of all iterations, in order of request."""
        return self._trials(StageKind.SEARCH)

    @cached_property
    def models(self) -> list[Model]:
        """The finalists of all sessions, the best first."""
        models = [self._model(trial) for trial in self._full_trainings]
        return best_first(models, *next(iter(self.objectives.items())))

    @cached_property
    def all_trials(self) -> dict[str, Trial]:
        """The iterations' trials and the full trainings, by id."""
        return {trial.trial: trial for trial in (*(model.trial for model in self.models), *self.trials)}

    @property
    def finalists(self) -> list[Model]:
        """The finalists of the latest session; none before they are chosen."""
        plan = self.plans.get(self.full_training())
        chosen = {request.trial for request in plan.requests} if plan else set()
        return [model for model in self.models if model.trial.trial in chosen]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each trial's place in order of request, from 1, by id; full trainings are counted for themselves."""
        groups = (self._full_trainings, self.trials)
        return {trial.trial: number for group in groups for number, trial in enumerate(group, 1)}

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """The job or lane of each unit, by the unit's id; what was taken over, or not claimed yet, has none."""
        given = {unit: job for job in self._all_jobs for unit in job.units}
        lanes = {unit: Job.named_lane(claim.lane) for unit, claim in self.claims.items()}
        return given | {unit: lane for unit, lane in lanes.items() if lane is not None}

    @cached_property
    def running(self) -> frozenset[str]:
        """The units at work: those that a lane holds, and of other jobs the next ones, as many as it has slots."""
        return self.in_turn if self.works else frozenset()

    @cached_property
    def in_turn(self) -> frozenset[str]:
        """The units that are at work, or were when the run ended."""
        launched = [job for job in self._all_jobs if job.job in self.launches]
        held = {claim.unit for claim in under_way(self.claims.values(), self.results)}
        return frozenset(unit for job in launched for unit in job.owed(self.results)[: job.slots]) | held

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of the iterations' trials by state."""
        counts = {state.value: 0 for state in State} | dict.fromkeys(UNENDED, 0)
        for trial in self.trials:
            counts[self.state(trial)] += 1
        return counts

    def find(self, trial: str) -> Trial | None:
        """The trial or full training of that id, if there is one."""
        return self.all_trials.get(trial)

    def state(self, trial: Trial) -> str:
        """A `State`'s value, `running` or `waiting`; in a run that works no more, `cancelled` or `not run`."""
        if trial.state:
            return trial.state.value
        if trial.trial in self.in_turn:
            return RUNNING if self.works else CANCELLED
        return WAITING if self.works else NOT_RUN

    def objectives_of(self, trial: Trial) -> dict[str, float]:
        """Values of the objectives by name; where training gave none, what a failed one had reported or was known."""
        reported = trial.result.metrics if trial.state is State.FAILED and trial.result is not None else {}
        values = trial.known | {name: value for name, value in reported.items() if value is not None}
        return {name: value for name, value in values.items() if name in self.objectives} | trial.objectives

    def metrics_of(self, trial: Trial) -> dict[str, float | None]:
        """Every other number that is known of it, by name."""
        metrics = trial.known | trial.result.metrics if trial.result else trial.known
        return {name: value for name, value in metrics.items() if name not in self.objectives}

    def source(self, trial: Trial) -> str | None:
        """URL of the ledger that its result was taken from; None where a job of this run trains it."""
        return trial.result.source if trial.result is not None else None

    def own(self) -> list[Trial]:
        """The trials and full trainings of this run's own jobs; results of earlier runs have cost it nothing."""
        return [trial for trial in self.all_trials.values() if trial.trial in self.jobs]

    # What was found

    @cached_property
    def front(self) -> frozenset[str]:
        """Ids of the trials on the front of the last selection; before that, of those that have ended."""
        if self.last_selection:
            return frozenset(self.last_selection.front)
        return frozenset(trial.trial for trial in pareto_front(feasible_trials(self.trials), self.objectives))

    @cached_property
    def reference(self) -> list[float]:
        """Worst corner of the hypervolume, in the order of the objectives; empty without a front."""
        if self.last_selection:
            return self.last_selection.reference
        return reference_point(feasible_trials(self.trials), self.objectives)

    @cached_property
    def volumes(self) -> list[float | None]:
        """Hypervolume of the front after each of `trials`; None before there is a front."""
        counting = {trial.trial for trial in feasible_trials(self.trials)}
        candidates = [trial if trial.trial in counting else None for trial in self.trials]
        return hypervolumes(candidates, self.objectives, self.reference)

    @property
    def steps(self) -> list[Result]:
        """How the units ended that are no trials: the preparation of the data and verifications."""
        return [self.results[unit] for unit in self.jobs if not is_trial(unit) and unit in self.results]

    @cached_property
    def version(self) -> str:
        """A digest that changes with whatever a page shows of the run."""
        read = (self.plans, self.selections, self.results, self.sessions, self.launches)
        states = (self.closed, self.failure, self.asking, bool(self.blocked))
        facts = [self.url, *(len(each) for each in read), *states, *sorted(self.in_turn)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    # Parts of the above

    @cached_property
    def _all_jobs(self) -> list[Job]:
        jobs = [job for plan in self.plans.values() for job in plan.jobs]
        return [self.preparation, *jobs] if self.preparation else jobs

    @cached_property
    def _full_trainings(self) -> list[Trial]:
        return self._trials(StageKind.FULL)

    def _trials(self, kind: StageKind) -> list[Trial]:
        plans = [plan for stage, plan in self.plans.items() if stage.kind is kind]
        requests = {request.trial: request for plan in plans for request in plan.requests}
        return averaged(Trial(request, self.results.get(trial)) for trial, request in requests.items())

    def _model(self, trial: Trial) -> Model:
        verification = self.plans.get(trial.request.stage.verification)
        model = Model.of(trial, self.results, verification, self.exported.get(trial.trial))
        return model if self.works else replace(model, check_due=False)
