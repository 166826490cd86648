"""One run as plain data: what a report, a results page or a notebook shows, gathered in a handful of requests."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from windtunnel.errors import NotFoundError
from windtunnel.front import hypervolume, pareto_front, reference_point
from windtunnel.ledger import Known, Ledger, Plan, Request, State
from windtunnel.ledger.ledger import Outcome

WAITING = "waiting"  # the state of a trial that is planned and has no result
_TAIL = 2000  # characters of a failed trial's log that a view carries


@dataclass(frozen=True, slots=True)
class TrialView:
    """One trial: what was asked, and what became of it.

    Attributes:
        number: its place among the run's trials, in order of request, from 1.
        trial: its id.
        config: the id of its configuration.
        stage: that asked for it.
        iteration: that suggested its configuration; 0 where none did.
        epochs: that were asked for.
        params: the searched parameters.
        parents: configurations that it was bred from.
        note: what the strategy says of it.
        state: a `State`'s value, or `waiting`.
        objectives: values by name; of a failed trial, those that were known before.
        metrics: every other number.
        violation: of measured constraints.
        front: whether the last selection has it on the Pareto front.
        kind: of the failure or stop.
        message: what went wrong, or why it was stopped.
        log_tail: the end of the log of a failed trial.
        seconds: how long it took.
        started: ISO 8601 in UTC.
        attempts: how often it was started.
        source: the ledger that it was taken from.
    """

    number: int
    trial: str
    config: str
    stage: str
    iteration: int
    epochs: float
    params: dict[str, Any]
    parents: list[str] = field(default_factory=list)
    note: dict[str, Any] = field(default_factory=dict)
    state: str = WAITING
    objectives: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    violation: float = 0.0
    front: bool = False
    kind: str = ""
    message: str = ""
    log_tail: str = ""
    seconds: float = 0.0
    started: str = ""
    attempts: int = 0
    source: str | None = None

    @property
    def comparable(self) -> bool:
        """Whether it may be on a front."""
        return self.state in (State.COMPLETED, State.STOPPED) and self.violation == 0


@dataclass(frozen=True, slots=True)
class ModelView:
    """One finalist: its full training and its verification.

    Attributes:
        trial: the full training.
        partial: the trial that selection chose it by, where it is another one.
        verified: whether its exported model passed; None while that is not known.
        test: what the verification measured: `test_acc`, `onnx_acc`, `max_logit_diff`, …
        error: why it did not pass.
        onnx: path of the model in the run's folder; None without one.
    """

    trial: TrialView
    partial: str | None = None
    verified: bool | None = None
    test: dict[str, float | None] = field(default_factory=dict)
    error: str = ""
    onnx: str | None = None


@dataclass(frozen=True, slots=True)
class IterationView:
    """One iteration: its size, and what its selection knew and decided; see `Known`."""

    stage: str
    planned: int
    finished: int
    note: str = ""
    front: list[str] = field(default_factory=list)
    hypervolume: float | None = None
    decisions: list[dict[str, str]] = field(default_factory=list)
    stop: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class RunView:
    """A whole run.

    Attributes:
        search: the search's name.
        run: the run's name.
        url: of its ledger.
        read: when this view was gathered, ISO 8601 in UTC.
        definition: as the run began with it.
        facts: the rest of `search.json`: code, versions, started, origin.
        objectives: direction by name, the first first.
        reference: worst corner of the hypervolume, in the order of the objectives.
        counts: trials by state.
        sessions: the DAG runs that worked on it.
        iterations: in order.
        trials: of all iterations, in order of request.
        volumes: hypervolume of the front after each trial, aligned with `trials`; None before there is a front.
        models: the finalists, the best first.
        curves: points of training by trial, each with `epoch` and metrics.
    """

    search: str
    run: str
    url: str
    read: str
    definition: dict[str, Any]
    facts: dict[str, Any]
    objectives: dict[str, str]
    reference: list[float]
    counts: dict[str, int]
    sessions: list[dict[str, str]]
    iterations: list[IterationView]
    trials: list[TrialView]
    volumes: list[float | None]
    models: list[ModelView]
    curves: dict[str, list[dict[str, float | None]]]

    def to_json(self) -> dict[str, Any]:
        """The view as JSON's own types; numbers that JSON lacks become None."""
        plain = _finite(asdict(self))
        assert isinstance(plain, dict)
        return plain


def collect(ledger: Ledger, curves: int = 200) -> RunView:
    """Read a run, finished or under way.

    Takes one listing each of stages, results and steps; one read a plan, a selection and a failure; and one a curve.

    Args:
        ledger: of the run.
        curves: how many trials' curves are read beside the finalists'.

    Raises:
        LedgerError: the run has not begun.
    """
    record = ledger.search_record()
    definition = record["definition"]
    objectives: dict[str, str] = definition["objectives"]
    plans = [plan for stage in ledger.stages() if (plan := ledger.plan(stage))]
    known = {plan.stage: found for plan in plans if plan.stage.isdigit() and (found := ledger.known(plan.stage))}
    outcomes = ledger.outcomes()
    last = known[max(known, key=int)] if known else None

    searched = [plan for plan in plans if plan.stage.isdigit()]
    requests = _once(request for plan in searched for request in plan.requests)
    trials = [_trial(ledger, request, outcomes.get(request.trial), objectives) for request in requests]
    fit = [trial for trial in trials if trial.comparable]
    front = set(last.front) if last else {trial.trial for trial in pareto_front(fit, objectives)}
    trials = [replace(trial, number=n, front=trial.trial in front) for n, trial in enumerate(trials, 1)]
    reference = last.reference if last else reference_point(fit, objectives)
    models = _models(ledger, plans, outcomes, objectives)
    return RunView(
        search=ledger.search,
        run=ledger.run,
        url=ledger.url,
        read=datetime.now(UTC).isoformat(timespec="seconds"),
        definition=definition,
        facts={key: value for key, value in record.items() if key != "definition"},
        objectives=objectives,
        reference=reference,
        counts=_counts(trials),
        sessions=[{"session": session.session, "started": session.started} for session in ledger.sessions()],
        iterations=[_iteration(plan, known.get(plan.stage), outcomes) for plan in searched],
        trials=trials,
        volumes=_volumes(trials, objectives, reference),
        models=models,
        curves=_curves(ledger, models, trials, curves),
    )


def _once(requests: Iterable[Request]) -> list[Request]:
    return list({request.trial: request for request in requests}.values())


def _trial(ledger: Ledger, request: Request, outcome: Outcome | None, objectives: Mapping[str, str]) -> TrialView:
    values = {name: value for name, value in request.known.items() if name in objectives}
    metrics: dict[str, float | None] = {name: v for name, v in request.known.items() if name not in objectives}
    trial = TrialView(
        number=0,
        trial=request.trial,
        config=request.config,
        stage=request.stage,
        iteration=request.iteration,
        epochs=request.epochs,
        params=request.params,
        parents=request.parents,
        note=request.note,
        objectives=values,
        metrics=metrics,
        message=f"breaks {request.infeasible}" if request.infeasible else "",
        source=request.source,
    )
    if outcome is None:
        return trial
    trial = replace(
        trial,
        state=outcome.state.value,
        objectives=values | outcome.objectives,
        metrics=metrics | outcome.metrics,
        violation=outcome.violation,
        kind=outcome.kind,
        seconds=outcome.seconds,
        started=outcome.started,
        attempts=outcome.attempts,
    )
    explained = outcome.state in (State.FAILED, State.STOPPED)
    whole = ledger.result(request.trial) if explained else None
    if whole is None:
        return trial
    return replace(trial, message=whole.message, log_tail=whole.log_tail[-_TAIL:])


def _iteration(plan: Plan, known: Known | None, outcomes: Mapping[str, Outcome]) -> IterationView:
    finished = sum(request.trial in outcomes for request in plan.requests)
    view = IterationView(stage=plan.stage, planned=len(plan.requests), finished=finished, note=plan.note)
    if known is None:
        return view
    return replace(
        view,
        front=known.front,
        hypervolume=known.hypervolume,
        decisions=[decision.model_dump() for decision in known.decisions],
        stop=known.stop,
        failure=known.failure,
    )


def _models(
    ledger: Ledger, plans: Sequence[Plan], outcomes: Mapping[str, Outcome], objectives: Mapping[str, str]
) -> list[ModelView]:
    full = _once(request for plan in plans if plan.stage.startswith("full-") for request in plan.requests)
    steps = ledger.step_outcomes()
    models = []
    for number, request in enumerate(full, 1):
        trial = replace(_trial(ledger, request, outcomes.get(request.trial), objectives), number=number)
        model = ModelView(trial=trial, partial=request.continue_from)
        step = f"verify-{request.trial}"
        if trial.state == State.FAILED:
            model = replace(model, verified=False, error=trial.message)
        elif step in steps:
            model = _verified(ledger, model, steps[step])
        models.append(model)
    first = next(iter(objectives))
    best_first = -1 if objectives[first] == "maximize" else 1
    return sorted(models, key=lambda model: best_first * model.trial.objectives.get(first, best_first * math.inf))


def _verified(ledger: Ledger, model: ModelView, step: Outcome) -> ModelView:
    whole = ledger.result(step.trial) if step.state is State.FAILED else None
    return replace(
        model,
        verified=step.state is State.COMPLETED,
        test=step.metrics,
        error=whole.message if whole else "",
        onnx=f"trials/{model.trial.trial}/model.onnx",
    )


def _counts(trials: Iterable[TrialView]) -> dict[str, int]:
    counts = {state.value: 0 for state in State} | {WAITING: 0}
    for trial in trials:
        counts[trial.state] += 1
    return counts


def _volumes(
    trials: Sequence[TrialView], objectives: Mapping[str, str], reference: Sequence[float]
) -> list[float | None]:
    """Hypervolume after each trial: worked out again only where the front moves."""
    front: list[TrialView] = []
    volumes: list[float | None] = []
    for trial in trials:
        moved = pareto_front([*front, trial], objectives) if trial.comparable and reference else front
        same = len(moved) == len(front) and trial not in moved
        volumes.append((volumes[-1] if volumes else None) if same else hypervolume(moved, objectives, reference))
        front = moved
    return volumes


def _curves(
    ledger: Ledger, models: Sequence[ModelView], trials: Sequence[TrialView], most: int
) -> dict[str, list[dict[str, float | None]]]:
    """Curves of the finalists, the front, and then the others. A finalist's begins with its partial training's."""
    others = sorted((trial for trial in trials if trial.state != WAITING), key=lambda trial: not trial.front)[:most]
    curves = {trial.trial: _curve(ledger, trial.trial) for trial in others}
    for model in models:
        own = _curve(ledger, model.trial.trial)
        if model.partial and own:
            begun = curves[model.partial] if model.partial in curves else _curve(ledger, model.partial)
            own = [point for point in begun if (point["epoch"] or 0) < (own[0]["epoch"] or 0)] + own
        curves[model.trial.trial] = own
    return {trial: points for trial, points in curves.items() if points}


def _curve(ledger: Ledger, trial: str) -> list[dict[str, float | None]]:
    try:
        lines = ledger.store.get(ledger.trial_path(trial, "metrics.jsonl")).decode().splitlines()
    except NotFoundError:
        return []
    points = [json.loads(line) for line in lines if line.strip()]
    return [point for point in points if isinstance(point, dict) and "epoch" in point]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
