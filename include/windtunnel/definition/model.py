"""The definition of a search: what its YAML file may say, field by field."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
Direction = Literal["maximize", "minimize"]


class Section(BaseModel):
    """Base of all parts of a definition: unknown fields are errors, for a typing mistake must not pass in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bound(Section):
    """What a value must keep to: at most `max`, at least `min`."""

    max: float | None = None
    min: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Bound":
        if self.max is None and self.min is None:
            raise ValueError("give max, min or both")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Epochs(Section):
    """How far to train: a partial training ranks the trials, a full one makes the finalists. Fractions are allowed.

    `horizon` is what schedules of the learning rate see, whatever a trial's own epochs; by default `full`.
    """

    partial: PositiveFloat = 1.0
    full: PositiveFloat = 10.0
    horizon: PositiveFloat | None = None

    @model_validator(mode="after")
    def _partial_is_less(self) -> "Epochs":
        if self.partial > self.full:
            raise ValueError(f"partial {self.partial:g} is above full {self.full:g}")
        return self


class Trials(Section):
    """How many trials to suggest: in the first iteration, and in each later one."""

    initial: PositiveInt = 10
    per_iteration: PositiveInt = 16


class StrategyChoice(Section):
    """The strategy by name, and its options."""

    name: str = "evolution_pareto"
    options: dict[str, Any] = {}


class Finalists(Section):
    """Which trials are trained fully: of the front, at most `max`, spread over it; `go_on` from the partial weights."""

    max: PositiveInt = 6
    go_on: bool = True


class Limits(Section):
    """What a search may use.

    Attributes:
        parallel: lanes, that is trials at once; by default the launcher's own (the number of cores for `local`).
        slots: trials at once within one job.
        trial_time: seconds that one trial may take.
        job_time: seconds that one job may take; by default what its trials may take together.
        search_time: seconds after which no further iteration begins.
        pending: seconds that a job may wait to be started.
        failed_trials: so many failures end the search.
        trial_retries: starts after the first that a trial gets when its process or its job dies.
        memory: bytes of resident memory that one trial may use.
        quorum: share of the lanes that must be done before the next iteration begins.
        threads: of torch in each trial; by default the cores shared out among the lanes.
    """

    parallel: PositiveInt | None = None
    slots: PositiveInt = 1
    trial_time: PositiveFloat | None = None
    job_time: PositiveFloat | None = None
    search_time: PositiveFloat | None = None
    pending: PositiveFloat = 3600
    failed_trials: PositiveInt = 10
    trial_retries: int = Field(default=2, ge=0)
    memory: PositiveInt | None = None
    quorum: float = Field(default=1.0, gt=0, le=1)
    threads: PositiveInt | None = None


class Verification(Section):
    """When an exported model passes: the largest difference of a logit between ONNX and torch, absolute."""

    tolerance: PositiveFloat = 1e-3


class Stopping(Section):
    """When a search ends before its last iteration."""

    target: dict[Name, float] = {}
    stale_iterations: PositiveInt | None = None


class Definition(Section):
    """One search. `name` is the file's stem unless given.

    Attributes:
        name: of the search and its DAG.
        description: for the DAG's page.
        workload: dotted name of the module that prepares, trains and verifies.
        data: settings for the workload's `prepare`.
        settings: fixed settings for the workload's `train` and `cost`.
        space: the searched parameters; by default the workload's own `space()`.
        objectives: what to maximise or minimise, by metric; the first two make the default picture.
        constraints: bounds on values known before training or measured.
        strategy: that suggests configurations.
        iterations: at most so many.
        trials: how many an iteration.
        epochs: partial and full.
        objective_at: whether a trial's values are its last or its best epoch's, by the first objective.
        finalists: which are trained fully.
        verification: when an exported model passes.
        limits: what may be used.
        stopping: when to end early.
        launcher: `local` or another by name.
        store: URL or folder where ledgers live; relative to the working directory; by default `$WINDTUNNEL_STORE`, else `runs`.
        schedule: cron expression or Airflow preset.
        warm_start: URLs of ledgers whose results count from the start.
        approval: whether a person is asked before full training.
        seed: of the search.
        trial_seed: of every trial's training.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]
    description: str = ""
    workload: str
    data: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    space: dict[Name, Any] | None = None
    objectives: dict[Name, Direction] = Field(min_length=1)
    constraints: dict[Name, Bound] = {}
    strategy: StrategyChoice = StrategyChoice()
    iterations: PositiveInt = 5
    trials: Trials = Trials()
    epochs: Epochs = Epochs()
    objective_at: Literal["last", "best"] = "last"
    finalists: Finalists = Finalists()
    verification: Verification = Verification()
    limits: Limits = Limits()
    stopping: Stopping = Stopping()
    launcher: str = "local"
    store: str | None = None
    schedule: str | None = None
    warm_start: list[str] = []
    approval: bool = False
    seed: int = Field(default=0, ge=0)
    trial_seed: int = Field(default=0, ge=0)
    tags: list[str] = []
