"""The definition of a search: what its YAML file may say, field by field."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.bound import Bound
from windtunnel.definition.early_stopping import EarlyStopping, Name
from windtunnel.definition.units import Bytes, Seconds
from windtunnel.section import LARGEST, Section

Direction = Literal["maximize", "minimize"]


class Epochs(Section):
    """How far to train. Fractions are allowed."""

    partial: PositiveFloat = 1.0
    """Of every trial; ranks them."""
    full: PositiveFloat = 10.0
    """Of the finalists."""
    horizon: PositiveFloat | None = None
    """What schedules of the learning rate see, whatever a trial's own epochs; by default `full`."""

    @model_validator(mode="after")
    def _partial_is_less(self) -> "Epochs":
        if self.partial > self.full:
            raise ValueError(f"partial {self.partial:g} is above full {self.full:g}")
        return self


class Trials(Section):
    """How many trials to suggest."""

    initial: PositiveInt = 10
    """In the first iteration."""
    per_iteration: PositiveInt = 16
    """In each later one, at most."""
    default_first: bool = False
    """Whether the space's default configuration is one of the first iteration's."""


class StrategyChoice(Section):
    """What suggests configurations."""

    name: str = "pareto"
    """`pareto`, another of docs/strategies.md, or the dotted name of your own class: `my_module.MyStrategy`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The strategy's own; see its class."""


class Finalists(Section):
    """Which trials are trained fully, and how."""

    max: PositiveInt = 6
    """At most so many, spread over the front."""
    go_on: bool = True
    """Whether they go on from the weights of their partial training."""


class Limits(Section):
    """What a search may use. Times are seconds or text such as `90s`, `15m`, `2h`; sizes bytes or `500 MB`, `2 GiB`."""

    trials: PositiveInt | None = None
    """So many configurations end the search."""
    gpu_hours: PositiveFloat | None = None
    """So many hours that trials have held GPUs, summed over both, end the search."""
    parallel: PositiveInt | None = None
    """Lanes, that is trials at once; by default the launcher's own (the number of cores for `local`)."""
    slots: PositiveInt = 1
    """Trials at once within one job."""
    trial_time: Seconds | None = None
    """That one trial may take."""
    job_time: Seconds | None = None
    """That one job may take; by default what its trials may take together."""
    search_time: Seconds | None = None
    """After which no further iteration begins, and what still runs of the present one is cancelled."""
    pending: Seconds = 3600.0
    """How long a job may wait to be started, while no other pod of its run holds a place."""
    failed_trials: PositiveInt = 10
    """So many failures end the search."""
    trial_retries: int = Field(default=2, ge=0)
    """Starts after the first that a trial gets when its process or its job dies."""
    memory: Bytes | None = None
    """Resident memory that one trial may use."""
    quorum: float = Field(default=1.0, gt=0, le=1)
    """Share of the lanes that must be done before the next iteration begins. Pays from about eight lanes on: with
    fewer, the lane that a straggler holds is too much of the whole."""
    threads: PositiveInt | None = None
    """Of torch in each trial; by default the cores shared out among the lanes."""


class Resources(Section):
    """What a job's pod asks the cluster for, in place of what the pod template says; of a local job, `gpus` only."""

    gpus: int | None = Field(default=None, ge=0)
    """Of each job. Its slots share them out, and a trial trains in as many processes as it has GPUs."""
    cpu: PositiveFloat | None = None
    """Cores of each pod."""
    memory: Bytes | None = None
    """Of each pod, which is killed beyond it."""
    priority: str | None = None
    """Name of a PriorityClass: who goes first, and who is preempted."""
    queue: str | None = None
    """Name of a Kueue LocalQueue that the jobs wait in."""
    namespace: str | None = None
    """That the jobs run in; by default the connection's."""


class Verification(Section):
    """When an exported model passes."""

    tolerance: PositiveFloat = 1e-3
    """The largest absolute difference of a logit between ONNX and torch."""


class Stopping(Section):
    """When a search ends before its last iteration."""

    target: dict[Name, float] = Field(default_factory=dict)
    """Objectives and the values that one trial on the front must reach, all of them."""
    stale_iterations: PositiveInt | None = None
    """So many iterations in which the front's hypervolume did not grow."""


class Definition(Section):
    """One search. `name` is the file's stem unless given."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]
    """Of the search and its DAG."""
    description: str = ""
    """For the DAG's page."""
    workload: str
    """Dotted name of the module that prepares, trains and verifies."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Settings for the workload's `prepare`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Fixed settings for the workload's `train` and `cost`."""
    space: dict[Name, Any] | None = None
    """The searched parameters; by default the workload's own `space()`."""
    objectives: dict[Name, Direction] = Field(min_length=1, max_length=5)
    """What to `maximize` or `minimize`, by metric; the first two make the default picture."""
    constraints: dict[Name, Bound] = Field(default_factory=dict)
    """Bounds on values known before training or measured."""
    strategy: StrategyChoice = StrategyChoice()
    """That suggests configurations."""
    iterations: int = Field(default=5, ge=1, le=1000)
    """At most so many."""
    trials: Trials = Trials()
    """How many an iteration."""
    epochs: Epochs = Epochs()
    """Partial and full."""
    objective_at: Literal["last", "best"] = "last"
    """Whether a trial's values are its last or its best epoch's, by the first objective."""
    early_stopping: EarlyStopping = EarlyStopping()
    """When a trial ends before all its epochs."""
    finalists: Finalists = Finalists()
    """Which are trained fully."""
    verification: Verification = Verification()
    """How near to torch an exported model must be."""
    limits: Limits = Limits()
    """What may be used."""
    stopping: Stopping = Stopping()
    """When the search ends early."""
    launcher: str = "local"
    """`local`, or `kubernetes` for pods on a cluster."""
    resources: Resources = Resources()
    """Of each job; with `launcher: kubernetes`, of its pod."""
    pod_template: str | dict[str, Any] | None = None
    """The pods' template, or its file, relative to the definition's; by default `pod_template.yaml` beside the
    definition or in the folder above."""
    store: str | None = None
    """URL or folder where ledgers live, relative to the working directory; by default `$WINDTUNNEL_STORE`, else
    `runs`."""
    schedule: str | None = None
    """Cron expression or Airflow preset."""
    warm_start: list[str] = Field(default_factory=list)
    """URLs of ledgers whose results count from the start."""
    approval: bool = False
    """Whether a person is asked before full training."""
    seed: int = Field(default=0, ge=0, le=LARGEST)
    """Of the search."""
    trial_seed: int = Field(default=0, ge=0, le=LARGEST)
    """Of every trial's training."""
    tags: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list)
    """Of the DAG, to find it by."""

    @property
    def rungs(self) -> list[float]:
        """The epochs that trials of the search are trained to, one after the other; the last is `epochs.partial`."""
        halving, last = self.early_stopping.halving, self.epochs.partial
        return halving.epochs(last) if halving is not None else [last]

    @property
    def watched(self) -> str:
        """The objective that the rules of early stopping watch."""
        return self.early_stopping.metric or next(iter(self.objectives))
