"""Where a training stands, as a file that holds no pickled code: weights, optimiser, generators, position, reports."""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from windtunnel.errors import NotFoundError, StoreError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel_trainer import states
from windtunnel_trainer.seeds import States

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Report:
    """What a trial reported at one point.

    Attributes:
        epoch: how many epochs were done.
        seconds: of training so far, earlier trials that it continues included.
        metrics: by name; None where a value was not finite.
        early: whether it was the trial's end within an epoch, a point that a longer training passes without a report.
        closes: whether it was at the end of an epoch's steps, rather than between them.
    """

    epoch: float
    seconds: float
    metrics: dict[str, float | None]
    early: bool = False
    closes: bool = True

    @property
    def ends_epoch(self) -> bool:
        """Whether it was at the end of a whole epoch."""
        return self.closes and not self.early


@dataclass(slots=True)
class TrainingState:
    """Where a training stands.

    Attributes:
        step: optimiser steps begun.
        steps_per_epoch: None until training begins.
        position: `between` epochs, `within` the steps of one, or done `early`, at a trial's end within an epoch.
        generators: states of the generators, where the position is not between epochs.
        sums: running sums of `Epoch.add` in the present epoch, each with its weight.
        reports: all so far.
        best: the reports' best at the end of a whole epoch, and the weights it had: `{"report", "weights"}`.
        seconds: of training so far.
    """

    step: int = 0
    steps_per_epoch: int | None = None
    position: Literal["between", "within", "early"] = "between"
    generators: States | None = None
    sums: dict[str, tuple[Any, float]] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    best: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def last(self) -> Report | None:
        """The last report, if there is one."""
        return self.reports[-1] if self.reports else None

    def is_before(self, target: int | None, epochs: float) -> bool:
        """Whether a whole epoch, or a report where none is taken in steps, is done and more are to come.

        Args:
            target: the step at which the trial ends, where it trains in steps.
            epochs: how many epochs are done there.
        """
        if self.steps_per_epoch is None:
            return self.reports[-1].epoch < epochs
        return self.position == "between" and target is not None and self.step < target

    def go_on(self) -> None:
        """Stand where a longer training would stand here: one that did not end early."""
        if self.position == "early":
            self.position = "within"
            self.reports = [report for report in self.reports if not report.early]

    def renumber(self, after: float, by: float) -> None:
        """Count the reports after an epoch anew, so many epochs less; earlier ones that they replace are dropped."""
        kept = [report for report in self.reports if report.epoch <= min(after, after - by)]
        moved = [replace(report, epoch=report.epoch - by) for report in self.reports if report.epoch > after]
        self.reports = kept + moved

    def to_state(self) -> dict[str, Any]:
        """As plain values and tensors."""
        state = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return state | {"reports": [asdict(report) for report in self.reports]}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "TrainingState":
        """From what `to_state` gave."""
        return cls(**dict(state) | {"reports": [Report(**report) for report in state["reports"]]})


def save(ledger: Ledger, trial: str, config: str, progress: TrainingState, objects: Mapping[str, Any]) -> None:
    """Replace the trial's checkpoint.

    Args:
        ledger: of the run.
        trial: whose checkpoint it is.
        config: the id of its configuration.
        progress: where it stands.
        objects: models, optimisers, schedulers, generators (whatever has `state_dict` or `get_state`), by name.

    Raises:
        StoreError: there is no room for it here, or the store refuses it.
        WorkloadError: a state could not be read again.
    """
    content = {"config": config, "progress": progress.to_state(), "objects": states_of(objects)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / CHECKPOINT
        try:
            states.write(content, file)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "inline_container" not in str(error):  # torch's writer of files
                raise
            raise StoreError(f"cannot write the checkpoint of {trial} into {folder}; is there room? {error}") from error
        ledger.store.upload(ledger.trial_path(trial, CHECKPOINT), file)


def load(ledger: Ledger, trial: str, config: str) -> tuple[TrainingState, dict[str, Any]] | None:
    """The trial's checkpoint: its progress and the objects' states, on the CPU. None if there is none that can be read.

    Raises:
        WorkloadError: it is another configuration's.
    """
    try:
        saved = ledger.store.open(ledger.trial_path(trial, CHECKPOINT))
    except NotFoundError:
        return None
    try:
        with saved:
            content = states.read(saved)
    except Exception as error:
        sys.stderr.write(f"the checkpoint of {trial} cannot be read, so training begins anew: {error}\n")
        return None
    if content["config"] != config:
        raise WorkloadError(f"the checkpoint of {trial} is of configuration {content['config']}, not of {config}")
    return TrainingState.of_state(content["progress"]), content["objects"]


def states_of(objects: Mapping[str, Any]) -> dict[str, Any]:
    """The objects' states, by the same names.

    Raises:
        WorkloadError: one has none, or could not be given it again.
    """
    return {name: _state(name, item) for name, item in objects.items()}


def load_states(objects: Mapping[str, Any], saved: Mapping[str, Any], what: str) -> None:
    """Put saved states into objects of the same names.

    Raises:
        WorkloadError: a state is missing or does not fit.
    """
    import torch

    for name, item in objects.items():
        if name not in saved:
            raise WorkloadError(f"{what} has no {name!r}, only {', '.join(sorted(saved)) or 'nothing'}")
        try:
            if isinstance(item, torch.nn.Module):
                item.load_state_dict(states.named_for(item, saved[name]))
            elif hasattr(item, "load_state_dict"):
                item.load_state_dict(saved[name])
            else:
                item.set_state(saved[name])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkloadError(f"the {name!r} of {what} does not fit: {error}") from error


def _state(name: str, item: Any) -> Any:
    for get, put in (("state_dict", "load_state_dict"), ("get_state", "set_state")):
        if hasattr(item, get) and hasattr(item, put):
            return getattr(item, get)()
    kind = type(item).__name__
    pairs = "state_dict() and load_state_dict(), nor get_state() and set_state()"
    raise WorkloadError(f"checkpoint({name}=…): a {kind} has neither {pairs}")
