"""What a workload's `train` gets: the parameters, the data, the steps to take, and where to put what comes of it."""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.definition.model import Definition
from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger, Request
from windtunnel.stopping.rules import Judgement
from windtunnel_trainer import best, export, preemption
from windtunnel_trainer.artifacts import Keeper
from windtunnel_trainer.checkpoints import Report, TrainingState
from windtunnel_trainer.data import Arrays, load_split
from windtunnel_trainer.epochs import Epoch, begin_epoch, target_step
from windtunnel_trainer.metrics import MetricsFile
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.reports import add_report, as_line, require_finite
from windtunnel_trainer.saving import Saver
from windtunnel_trainer.seeds import seed_everything
from windtunnel_trainer.stopping import Stopper, TrialStopped

if TYPE_CHECKING:
    import torch


class Trial(Keeper):
    """One configuration in training.

    Attributes:
        params: the searched parameters.
        settings: the definition's fixed settings.
        seed: of this training.
        horizon: the epochs that schedules of the learning rate see, whatever this trial's own.
        exported: whether a model was exported.
        stopped: the judgement that ended the trial; None where none did.
        resumable: whether there is a checkpoint of where it was stopped.
        ledger: of the run.
        id: the trial's.
        definition: of the search.
    """

    def __init__(
        self,
        ledger: Ledger,
        definition: Definition,
        request: Request,
        *,
        stop: Stopper | None = None,
        checkpoint_every: float | None = None,
        first_start: bool = False,
        listener: Callable[[Report], None] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Begin, or go on with, a trial.

        Args:
            ledger: of the run.
            definition: of the search.
            request: what is asked.
            stop: asked at the end of each epoch but the last whether the trial is to end, from the reports so far.
            checkpoint_every: seconds between two checkpoints; by default `$WINDTUNNEL_CHECKPOINT_SECONDS`, else half a
                minute, and where writes are paid for up to an hour: three tenths of the trial's length as it looks.
            first_start: whether the trial was never started before, so that it cannot have a checkpoint of its own.
            listener: told of each report.
            folder: of the trial's own on this host; by default a temporary one.
        """
        self.params = deepcopy(request.params)  # a workload may change what it is given, here and everywhere
        self.settings = deepcopy(definition.settings)
        self.seed = request.seed
        self.horizon = float(definition.epochs.horizon or definition.epochs.full)
        self.exported = self.resumable = self._loaded_best = False
        self.stopped: Judgement | None = None
        self.definition, self._request = definition, request
        self._stop, self._listener = stop, listener
        self._progress = TrainingState()
        group = ProcessGroup()
        self._saver = Saver(ledger, definition, request, group, checkpoint_every, first_start=first_start)
        self._target: int | None = None
        self._began = time.monotonic()
        self._metrics = MetricsFile(ledger, request.trial, definition)
        self._manifest: dict[str, Any] | None = None
        super().__init__(ledger, request.trial, definition.limits.artifacts, group, folder)
        seed_everything(self.seed)

    @cached_property
    def device(self) -> "torch.device":
        """To train on: the GPU where there is one; where several processes train, each has its own."""
        return self._group.device

    def wrap(self, model: "torch.nn.Module", **options: Any) -> "torch.nn.Module":
        """The model as several processes train it: one GPU each, with `resources.gpus`. Alone, it is the model itself.

        It is a `DistributedDataParallel`: gradients are averaged over the processes, so that a loss that is its batch's
        mean gives the gradient that one process would get from the whole batch. Batch norms see whole batches too.

        Args:
            model: on the trial's device.
            **options: of `DistributedDataParallel`, such as `find_unused_parameters`.
        """
        return self._group.wrap(model, **options)

    def load(self, split: str) -> Arrays:
        """The arrays of a prepared split.

        Raises:
            WorkloadError: there is no such split, or it is the test data, which only `verify` may see.
        """
        if split == "test":
            raise WorkloadError(
                "train() must not see the test data: it judges the finalists, once; use validation data"
            )
        self._manifest = self._manifest or self.ledger.manifest()
        return load_split(self.ledger, split, self._manifest)

    def restore(self, **objects: Any) -> bool:
        """Go on from the last checkpoint of this trial, or of the one it continues; whether there was one.

        Args:
            objects: models, optimisers, schedulers, generators: what `checkpoint` will be given too.

        Raises:
            WorkloadError: the checkpoint does not fit the objects.
        """
        return self._go_on(self._saver.restore(objects))

    def take_up(self, restore: Callable[[Ledger, str], list[Report] | None]) -> float:
        """Go on from a state that is not torch's; the epochs that were done then.

        Args:
            restore: takes up the state of a trial of a ledger; the reports so far, or None where it has none.
        """
        if not self._go_on(self._saver.take_up(restore)):
            return 0.0
        best.find_best(self._progress, self.definition)
        return self._progress.reports[-1].epoch

    def renumber(self, after: float, by: float) -> None:
        """Count the reports after an epoch anew, so many epochs less; earlier ones that they replace are dropped."""
        self._progress.renumber(after, by)
        best.find_best(self._progress, self.definition)

    def epochs(self, steps_per_epoch: int) -> Iterator[Epoch]:
        """The epochs that are left to do, the last one perhaps in part.

        Args:
            steps_per_epoch: optimiser steps, that is batches, of a whole epoch.

        Raises:
            WorkloadError: a checkpoint has other epochs, or an epoch's body did not take its steps.
        """
        progress, epochs = self._progress, self._request.epochs
        self._target = target = target_step(progress, steps_per_epoch, epochs)
        while self.stopped is None and (progress.position == "within" or progress.step < target):
            epoch = begin_epoch(progress, self.seed, target=target, epochs=epochs, group=self._group)
            yield epoch
            epoch.require_end()

    @property
    def step(self) -> int:
        """Optimiser steps begun so far, the present one included: what a schedule by steps depends on."""
        return self._progress.step

    @property
    def target_epochs(self) -> float:
        """How far to train, counted from the very beginning; `epochs` goes there by itself."""
        return self._request.epochs

    @property
    def reports(self) -> list[Report]:
        """All reports so far."""
        return deepcopy(self._progress.reports)

    def report(self, *nameless: Any, **metrics: Any) -> None:
        """Say how good the model is now; several calls at one point make one report.

        Where the trial does not train by `epochs`, a report is of the epoch that it names as `epoch`. Where none does,
        reports are counted: the next begins when a metric comes again.

        Raises:
            NotFiniteError: an objective or a constrained value is infinite or no number; it ends the trial as `nan`.
            TrialStopped: the trial is not worth more training.
            WorkloadError: a value is no number, or has no name.
        """
        progress = self._progress
        progress.seconds = self._seconds
        report = add_report(progress, *nameless, metrics=metrics, target=self._target, epochs=self._request.epochs)
        best.keep_best(progress, self.definition, report, self._saver.objects)
        self.write_metrics()
        self._group.say(as_line(report, self.definition))
        if self._listener is not None and self._group.leads:
            self._listener(report)
        require_finite(report, self.definition, self._group)
        self._ask_to_stop()

    def checkpoint(self, **objects: Any) -> None:
        """Save where training stands: after an optimiser step, or last in an epoch, after its report.

        It writes when the last checkpoint is old enough, and in any case at the trial's end, and when the trial's job
        is told to go: then the trial ends here, and its next start goes on from this step.

        Args:
            objects: models, optimisers, schedulers, generators: whatever training changes.

        Raises:
            WorkloadError: at the first call, whether it writes or not: a state could not be read again, or `restore`
                asks for an object that is not given.
        """
        preemption.heed()
        objects = self._saver.checked(objects)
        if self._group.leads and self._saver.is_due(self._progress, self._target, self._seconds):
            self._saver.save(self._progress, objects, self._seconds)
            if preemption.requested():
                self._group.say(f"told to go: saved at step {self._progress.step}")
                preemption.go()

    def export_onnx(self, model: "torch.nn.Module", example: Any, *, opset: int = export.OPSET) -> None:
        """Export the model, with the last weights or the best, as the definition's `objective_at` says.

        Args:
            model: the trained model; it is left in evaluation mode.
            example: an input, or a tuple of inputs, whose first axis is the batch.
            opset: version of ONNX's operators. Where tracing cannot export the model, torch's exporter that compiles
                does, and chooses its own.

        Raises:
            WorkloadError: the model cannot be exported, or is larger than 2 GiB.
        """
        model.eval()
        model = self._group.unwrap(model)
        self.load_best(model)
        if self._group.leads:
            export.export(self.ledger, self.id, model, example, opset)
        self.exported = True

    def save_onnx(self, file: bytes | str | Path, model: "torch.nn.Module | None" = None) -> None:
        """Give an ONNX model of your own, in place of `export_onnx`; it is checked and verified like any other.

        With `objective_at: best`, call `load_best` before you make it.

        Args:
            file: the ONNX model, or the path of its file; what it keeps in other files is taken in.
            model: torch's, with the weights that the file was made of, for `verify` to compare with.

        Raises:
            WorkloadError: it is no valid ONNX model, is larger than 2 GiB, or is not made of the best weights.
        """
        if best.is_past(self._progress, self.definition) and not self._loaded_best:
            raise WorkloadError(
                "objective_at is best: call trial.load_best(model) before you make the ONNX model of it"
            )
        if self._group.leads:
            export.keep(self.ledger, self.id, file, model)
        self.exported = True

    def load_best(self, model: "torch.nn.Module") -> None:
        """Put the weights into the model that the trial's values are of: the best epoch's, with `objective_at: best`.

        `export_onnx` does so by itself. The model may be one that `restore` was given, hold such models, or be a part
        of one, such as an average of weights.

        Raises:
            WorkloadError: these weights were not kept.
        """
        if best.is_past(self._progress, self.definition):
            best.load_best(self._progress, self._group.unwrap(model), self._saver.objects)
            self._loaded_best = True

    def chosen(self) -> Report | None:
        """The report whose values are the trial's: the last, or the best as the definition's `objective_at` says."""
        return best.chosen_report(self._progress, self.definition)

    def write_metrics(self, *, now: bool = False) -> None:
        """Bring the reports to the ledger, in any case if it is to be `now`."""
        if self._group.leads:
            self._metrics.write(self._progress.reports, self._seconds, now=now)

    def _go_on(self, progress: TrainingState | None) -> bool:
        if progress is not None:
            self._progress, self._began = progress, time.monotonic() - progress.seconds
        return progress is not None

    def _ask_to_stop(self) -> None:
        if self._stop is None or not self._progress.is_before(self._target, self.target_epochs):
            return
        judgement = self._group.agree(self._stop(self._progress.reports) if self._group.leads else None)
        if judgement is None:
            return
        self.stopped = judgement
        self._group.say(f"stopped by {judgement.rule}: {judgement.reason}")
        self.resumable = self._saver.save_all(self._progress, self._seconds)
        raise TrialStopped(judgement.reason)

    @property
    def _seconds(self) -> float:
        """Of training so far, starts before this one included."""
        return time.monotonic() - self._began
