"""The definition of a search: what its YAML file may say, field by field."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.bound import Bound
from windtunnel.definition.early_stopping import EarlyStopping, Name
from windtunnel.definition.units import Bytes, Seconds
from windtunnel.section import LARGEST, Section

Direction = Literal["maximize", "minimize"]


class Epochs(Section):
    """How far to train. Fractions are allowed.

    Attributes:
        partial: of every trial; ranks them.
        full: of the finalists.
        horizon: what schedules of the learning rate see, whatever a trial's own epochs; by default `full`.
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
    """How many trials to suggest.

    Attributes:
        initial: in the first iteration.
        per_iteration: in each later one, at most.
        default_first: whether the space's default configuration is one of the first iteration's.
    """

    initial: PositiveInt = 10
    per_iteration: PositiveInt = 16
    default_first: bool = False


class StrategyChoice(Section):
    """What suggests configurations.

    Attributes:
        name: `pareto`, another of docs/strategies.md, or the dotted name of your own class: `my_module.MyStrategy`.
        options: the strategy's own; see its class.
    """

    name: str = "pareto"
    options: dict[str, Any] = Field(default_factory=dict)


class Finalists(Section):
    """Which trials are trained fully, and how.

    Attributes:
        max: at most so many, spread over the front.
        go_on: whether they go on from the weights of their partial training.
    """

    max: PositiveInt = 6
    go_on: bool = True


class Limits(Section):
    """What a search may use. Times are seconds, or text such as `90s`, `15m`, `2h`; sizes bytes, or `500 MB`, `2 GiB`.

    Attributes:
        trials: so many configurations end the search.
        gpu_hours: so many hours that trials have held GPUs, summed over both, end the search.
        parallel: lanes, that is trials at once; by default the launcher's own (the number of cores for `local`).
        slots: trials at once within one job.
        trial_time: that one trial may take.
        job_time: that one job may take; by default what its trials may take together.
        search_time: after which no further iteration begins, and what still runs of the present one is cancelled.
        pending: how long a job may wait to be started, while no other pod of its run holds a place.
        failed_trials: so many failures end the search.
        trial_retries: starts after the first that a trial gets when its process or its job dies.
        memory: resident memory that one trial may use.
        quorum: share of the lanes that must be done before the next iteration begins. Pays from about eight lanes on:
            with fewer, the lane that a straggler holds is too much of the whole.
        threads: of torch in each trial; by default the cores shared out among the lanes.
    """

    trials: PositiveInt | None = None
    gpu_hours: PositiveFloat | None = None
    parallel: PositiveInt | None = None
    slots: PositiveInt = 1
    trial_time: Seconds | None = None
    job_time: Seconds | None = None
    search_time: Seconds | None = None
    pending: Seconds = 3600.0
    failed_trials: PositiveInt = 10
    trial_retries: int = Field(default=2, ge=0)
    memory: Bytes | None = None
    quorum: float = Field(default=1.0, gt=0, le=1)
    threads: PositiveInt | None = None


class Resources(Section):
    """What a job's pod asks the cluster for, in place of what the pod template says; of a local job, `gpus` only.

    Attributes:
        gpus: of each job. Its slots share them out, and a trial trains in as many processes as it has GPUs.
        cpu: cores of each pod.
        memory: of each pod, which is killed beyond it.
        priority: name of a PriorityClass: who goes first, and who is preempted.
        queue: name of a Kueue LocalQueue that the jobs wait in.
        namespace: that the jobs run in; by default the connection's.
    """

    gpus: int | None = Field(default=None, ge=0)
    cpu: PositiveFloat | None = None
    memory: Bytes | None = None
    priority: str | None = None
    queue: str | None = None
    namespace: str | None = None


class Verification(Section):
    """When an exported model passes.

    Attributes:
        tolerance: the largest absolute difference of a logit between ONNX and torch.
    """

    tolerance: PositiveFloat = 1e-3


class Stopping(Section):
    """When a search ends before its last iteration.

    Attributes:
        target: objectives and the values that one trial on the front must reach, all of them.
        stale_iterations: so many iterations in which the front's hypervolume did not grow.
    """

    target: dict[Name, float] = Field(default_factory=dict)
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
        objectives: what to `maximize` or `minimize`, by metric; the first two make the default picture.
        constraints: bounds on values known before training or measured.
        strategy: that suggests configurations.
        iterations: at most so many.
        trials: how many an iteration.
        epochs: partial and full.
        objective_at: whether a trial's values are its last or its best epoch's, by the first objective.
        early_stopping: when a trial ends before all its epochs.
        finalists: which are trained fully.
        verification: when an exported model passes.
        limits: what may be used.
        stopping: when the search ends early.
        launcher: `local`, or `kubernetes` for pods on a cluster.
        resources: of each job; with `launcher: kubernetes`, of its pod.
        pod_template: the pods' template, or its file, relative to the definition's; by default `pod_template.yaml`
            beside the definition or in the folder above.
        store: URL or folder where ledgers live, relative to the working directory; by default `$WINDTUNNEL_STORE`,
            else `runs`.
        schedule: cron expression or Airflow preset.
        warm_start: URLs of ledgers whose results count from the start.
        approval: whether a person is asked before full training.
        seed: of the search.
        trial_seed: of every trial's training.
        tags: of the DAG, to find it by.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]
    description: str = ""
    workload: str
    data: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    space: dict[Name, Any] | None = None
    objectives: dict[Name, Direction] = Field(min_length=1, max_length=5)
    constraints: dict[Name, Bound] = Field(default_factory=dict)
    strategy: StrategyChoice = StrategyChoice()
    iterations: int = Field(default=5, ge=1, le=1000)
    trials: Trials = Trials()
    epochs: Epochs = Epochs()
    objective_at: Literal["last", "best"] = "last"
    early_stopping: EarlyStopping = EarlyStopping()
    finalists: Finalists = Finalists()
    verification: Verification = Verification()
    limits: Limits = Limits()
    stopping: Stopping = Stopping()
    launcher: str = "local"
    resources: Resources = Resources()
    pod_template: str | dict[str, Any] | None = None
    store: str | None = None
    schedule: str | None = None
    warm_start: list[str] = Field(default_factory=list)
    approval: bool = False
    seed: int = Field(default=0, ge=0, le=LARGEST)
    trial_seed: int = Field(default=0, ge=0, le=LARGEST)
    tags: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list)

    @property
    def rungs(self) -> list[float]:
        """The epochs that trials of the search are trained to, one after the other; the last is `epochs.partial`."""
        halving, last = self.early_stopping.halving, self.epochs.partial
        return halving.epochs(last) if halving is not None else [last]

    @property
    def watched(self) -> str:
        """The objective that the rules of early stopping watch."""
        return self.early_stopping.metric or next(iter(self.objectives))
