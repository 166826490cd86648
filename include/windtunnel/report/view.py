"""One run as plain data, as its ledger has it at one moment: what every report and page is made of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windtunnel.ledger import State

WAITING = "waiting"  # the state of a trial that is planned, and of which nothing else is known
_WITH_VALUES = {state.value for state in State if state.has_values}
RUNNING = "running"  # likewise, where its job was launched and its turn has come


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
        job: that trains it; empty where its result was there before, or it needs no training.
        lane: of that job.
        state: a `State`'s value, `running` or `waiting`.
        objectives: values by name; of a failed trial, those that were known before.
        metrics: every other number.
        violation: of measured constraints.
        front: whether the last selection has it on the Pareto front.
        kind: of the failure or stop.
        message: what went wrong, or why it was stopped.
        log_tail: the end of the log of a failed trial.
        seconds: how long it took.
        started: ISO 8601 in UTC.
        recorded: when its result was written, in seconds since 1970 by the store's clock.
        attempts: how often it was started.
        gpus: that it held.
        peak_memory: the most resident memory that its processes had at once, in bytes; 0 where unknown.
        continue_from: the trial whose checkpoint it goes on from.
        source: the ledger that its result was taken from.
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
    job: str = ""
    lane: int = 0
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
    recorded: float = 0.0
    attempts: int = 0
    gpus: int = 0
    peak_memory: int = 0
    continue_from: str | None = None
    source: str | None = None

    @property
    def comparable(self) -> bool:
        """Whether it may be on a front."""
        return self.state in _WITH_VALUES and self.violation == 0


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
    selected: bool = False


@dataclass(frozen=True, slots=True)
class StepView:
    """A unit that is no trial: the preparation of the data, or a verification."""

    unit: str
    stage: str
    lane: int
    state: str
    seconds: float
    started: str


@dataclass(frozen=True, slots=True)
class RunView:
    """A whole run.

    Attributes:
        search: the search's name.
        run: the run's name.
        url: of its ledger.
        version: changes with whatever the run's views show.
        read: when this view was gathered, ISO 8601 in UTC.
        definition: as the latest session has it.
        facts: the rest of `search.json`: code, versions, started, origin.
        objectives: direction by name, the first first.
        reference: worst corner of the hypervolume, in the order of the objectives.
        counts: trials by state.
        sessions: the DAG runs that worked on it.
        closed: whether nothing is left to do for the latest of them, a report and tidying up aside.
        offset: how many iterations were done when the latest of them began.
        planned: the last iteration that it may perform.
        finalists: the trials that it trains fully; empty until they are chosen.
        asking: whether a person is to say whether they are trained.
        iterations: in order.
        trials: of all iterations, in order of request.
        volumes: hypervolume of the front after each trial, aligned with `trials`; None before there is a front.
        models: the finalists, the best first.
        steps: preparation and verifications.
        launches: when each job was launched, in seconds since 1970.
    """

    search: str
    run: str
    url: str
    version: str
    read: str
    definition: dict[str, Any]
    facts: dict[str, Any]
    objectives: dict[str, str]
    reference: list[float]
    counts: dict[str, int]
    sessions: list[dict[str, str]]
    closed: bool
    offset: int
    planned: int
    finalists: list[str]
    asking: bool
    iterations: list[IterationView]
    trials: list[TrialView]
    volumes: list[float | None]
    models: list[ModelView]
    steps: list[StepView]
    launches: Mapping[str, list[float]]

    def find(self, trial: str) -> TrialView | None:
        """The trial, whether it searched or is a full training."""
        trained = (model.trial for model in self.models)
        return next((each for each in (*self.trials, *trained) if each.trial == trial), None)

    def own(self) -> list[TrialView]:
        """What this run's jobs train, each once; results of earlier runs have cost it nothing."""
        every = (*(model.trial for model in self.models), *self.trials)
        return [trial for trial in {each.trial: each for each in every}.values() if trial.job]


def contenders(trials: Iterable[TrialView]) -> list[TrialView]:
    """The trials that may be on a front: of each configuration the one that ended last, if its values compare.

    Under successive halving a configuration has a trial at each rung it was promoted to; only the furthest counts.
    """
    latest = {trial.config: trial for trial in trials if trial.state not in (RUNNING, WAITING)}
    return [trial for trial in latest.values() if trial.comparable]
