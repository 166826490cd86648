"""When a trial's checkpoint is due, what is in it, and which one a trial goes on from."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from windtunnel.definition.model import Definition
from windtunnel.errors import LedgerError, WorkloadError
from windtunnel.ledger import Ledger, Request
from windtunnel.ledger.sources import open_source
from windtunnel_trainer import checkpoints, preemption, states
from windtunnel_trainer.checkpoints import Report, TrainingState
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.seeds import generator_states
from windtunnel_trainer.write_interval import WriteInterval

CHECKPOINT_INTERVAL = WriteInterval(
    share=0.3, shortest=30.0, longest=30.0, metered=3600.0
)  # of the trial's length, as it looks
CHECKPOINT_SECONDS = "WINDTUNNEL_CHECKPOINT_SECONDS"  # the variable that fixes the time between two checkpoints


class Saver:
    """A trial's checkpoints, and the objects whose states are in them.

    Attributes:
        objects: models, optimisers, schedulers, generators that the workload has named so far, models unwrapped.
    """

    def __init__(
        self,
        ledger: Ledger,
        definition: Definition,
        request: Request,
        group: ProcessGroup,
        every: float | None,
        *,
        first_start: bool,
    ) -> None:
        """Nothing is read or written yet.

        Args:
            ledger: of the run.
            definition: of the search.
            request: of the trial.
            group: the processes that train it.
            every: seconds between two checkpoints; by default `$WINDTUNNEL_CHECKPOINT_SECONDS`, else as the store and
                the trial's length tell.
            first_start: whether the trial was never started before, so that it cannot have a checkpoint of its own.
        """
        self.objects: dict[str, Any] = {}
        self._ledger, self._definition, self._request, self._group = ledger, definition, request, group
        self._every, self._first_start = every, first_start
        self._checked = False
        self._saved_at = time.monotonic()

    def named(self, objects: Mapping[str, Any]) -> dict[str, Any]:
        """The objects with models unwrapped; they are remembered."""
        plain = {name: self._group.unwrap(item) for name, item in objects.items()}
        self.objects |= plain
        return plain

    def restore(self, objects: Mapping[str, Any]) -> TrainingState | None:
        """Put the states of the last checkpoint, or of the one that the trial continues, into objects; its progress.

        Returns:
            None where there is none that can be read.

        Raises:
            LedgerError: the trial continues one of another configuration, or one of a run that cannot be reached.
            WorkloadError: the checkpoint is another configuration's, or does not fit the objects.
        """
        objects = self.named(objects)
        latest = self._latest()
        self._group.agree(None)  # nobody goes on, and writes another checkpoint, before all have read this one
        if latest is None:
            return None
        trial, progress, saved = latest
        if trial != self._request.trial:
            progress.go_on()
        checkpoints.load_states(objects, saved, f"the checkpoint of {trial}")
        self._group.say(f"going on from {trial}, step {progress.step}")
        return progress

    def take_up(self, restore: Callable[[Ledger, str], list[Report] | None]) -> TrainingState | None:
        """Go on from a state that is not torch's: see `Trial.take_up`."""
        for trial, ledger in self._sources():
            reports = restore(ledger, trial)
            if reports:
                self._group.say(f"going on from {trial}, epoch {reports[-1].epoch:g}")
                return TrainingState(reports=reports, seconds=reports[-1].seconds)
        return None

    def _latest(self) -> tuple[str, TrainingState, dict[str, Any]] | None:
        """The checkpoint to go on from: whose it is, its progress, the objects' states."""
        for trial, ledger in self._sources():
            if (checkpoint := checkpoints.load(ledger, trial, self._request.config)) is not None:
                return trial, *checkpoint
            if trial != self._request.trial:
                self._group.say(f"{trial} left no checkpoint to go on from: training from the beginning")
        return None

    def _sources(self) -> Iterator[tuple[str, Ledger]]:
        """The trials that this one may go on from, each with its ledger: itself first, then the one it continues."""
        request = self._request
        if not self._first_start:
            yield request.trial, self._ledger
        trial, source = request.continue_from, self._ledger
        if not trial:
            return
        if not trial.startswith(request.config):
            raise LedgerError(f"{request.trial} cannot continue {trial}, which is another configuration")
        if request.source:
            source = open_source(request.source, source, f"source of {request.trial}", self._definition.warm_start)
        yield trial, source

    def checked(self, objects: Mapping[str, Any]) -> dict[str, Any]:
        """As `named`; the first time it sees that `restore` can be given what it asks for, before hours have gone by.

        Raises:
            WorkloadError: a state could not be read again, or an object that `restore` was given is missing.
        """
        missing = self.objects.keys() - objects.keys()
        plain = self.named(objects)
        if self._checked:
            return plain
        if missing:
            names = ", ".join(sorted(missing))
            raise WorkloadError(f"trial.restore() asks for {names}: give trial.checkpoint() the same objects")
        for name, state in checkpoints.states_of(plain).items():
            states.check(name, state)
        self._checked = True
        return plain

    def is_due(self, progress: TrainingState, target: int | None, seconds: float) -> bool:
        """Whether a checkpoint is to be written now.

        Args:
            progress: of the training.
            target: the step at which the trial ends, where it is known.
            seconds: of training so far.
        """
        ended = progress.position != "within" and progress.step == target
        age = time.monotonic() - self._saved_at
        return ended or preemption.requested() or age >= self._pause(progress, target, seconds)

    def save(self, progress: TrainingState, objects: Mapping[str, Any], seconds: float) -> None:
        """Replace the trial's checkpoint.

        Args:
            progress: of the training.
            objects: whose states are saved.
            seconds: of training so far.
        """
        progress.seconds = seconds
        within = progress.position == "within"
        if within:
            progress.generators = generator_states()
        checkpoints.save(self._ledger, self._request.trial, self._request.config, progress, objects)
        if within:
            progress.generators = None
        self._saved_at = time.monotonic()

    def save_all(self, progress: TrainingState, seconds: float) -> bool:
        """Save what the workload would save after its report; whether that is anything."""
        if not self.objects:
            return False
        if self._group.leads:
            self.save(progress, self.objects, seconds)
        self._group.agree(None)  # nobody reads it before it is written
        return True

    def _pause(self, progress: TrainingState, target: int | None, seconds: float) -> float:
        """Seconds that must lie between two checkpoints."""
        done = progress.step / target if target else 1.0
        return checkpoint_pause(self._ledger, seconds / done if done else 0.0, self._every)


def checkpoint_pause(ledger: Ledger, length: float, every: float | None = None) -> float:
    """Seconds that must lie between two checkpoints.

    Args:
        ledger: that they are written to.
        length: of the trial, in seconds, as it looks.
        every: what it is to be; by default `$WINDTUNNEL_CHECKPOINT_SECONDS`, else as the store and the length tell.
    """
    fixed = os.environ.get(CHECKPOINT_SECONDS) if every is None else every
    return CHECKPOINT_INTERVAL.pause(ledger.store, length) if fixed in (None, "") else float(fixed)
