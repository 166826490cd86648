"""What a workload's `train` gets: the parameters, the data, the steps to take, and where to put what comes of it."""

import math
import os
import time
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.definition.model import Definition
from windtunnel.errors import LedgerError, WindtunnelError, WorkloadError
from windtunnel.ledger import Ledger, Request
from windtunnel.ledger.curves import EPOCH, SECONDS
from windtunnel.ledger.ids import steps
from windtunnel.ledger.sources import open_source
from windtunnel.objectives.direction import better
from windtunnel.stopping.rules import Verdict
from windtunnel.text import printable
from windtunnel.validation import shown
from windtunnel.workload.contract import number
from windtunnel_trainer import checkpoints, export, preemption, states
from windtunnel_trainer.artifacts import Artifacts
from windtunnel_trainer.checkpoints import Progress, Report
from windtunnel_trainer.data import Arrays, load_split
from windtunnel_trainer.epochs import Epoch
from windtunnel_trainer.metrics import MetricsFile
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.seeds import generator_states, seed_everything
from windtunnel_trainer.write_interval import WriteInterval

if TYPE_CHECKING:
    import torch

CHECKPOINT_INTERVAL = WriteInterval(
    share=0.3, shortest=30.0, longest=30.0, metered=3600.0
)  # of the trial's length, as it looks
CHECKPOINT_SECONDS = "WINDTUNNEL_CHECKPOINT_SECONDS"  # the variable that fixes the time between two checkpoints

Stopper = Callable[[Sequence[Report]], Verdict | None]


class TrialStopped(WindtunnelError):  # noqa: N818  (it is no error: the trial is told to end, and why)
    """Raised by `Trial.report` where the trial is not worth more training; a workload lets it pass."""


class NotFiniteError(WindtunnelError):
    """A value that the search compares is infinite or no number."""


class Trial:
    """One configuration in training.

    Attributes:
        params: the searched parameters.
        settings: the definition's fixed settings.
        seed: of this training.
        horizon: the epochs that schedules of the learning rate see, whatever this trial's own.
        exported: whether a model was exported.
        stopped: the verdict that ended the trial; None where none did.
        resumable: whether there is a checkpoint of where it was stopped.
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
        self.exported = False
        self.stopped: Verdict | None = None
        self.resumable = False
        self._ledger, self._definition, self._request = ledger, definition, request
        self._group = ProcessGroup()
        self._stop, self._listener = stop, listener
        fixed = os.environ.get(CHECKPOINT_SECONDS) if checkpoint_every is None else checkpoint_every
        self._checkpoint_every = None if fixed in (None, "") else float(fixed)
        self._first_start = first_start
        self._watched = {*definition.objectives, *definition.constraints}
        self._progress = Progress()
        self._objects: dict[str, Any] = {}
        self._checked = self._loaded_best = False
        self._target: int | None = None
        self._began = self._checkpointed = time.monotonic()
        rules = definition.early_stopping.rules
        self._metrics = MetricsFile(ledger, request.trial, definition.watched if rules else None)
        self._manifest: dict[str, Any] | None = None
        self._artifacts = Artifacts(ledger, request.trial, definition.limits.artifacts, folder)
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
        self._manifest = self._manifest or self._ledger.manifest()
        return load_split(self._ledger, split, self._manifest)

    def restore(self, **objects: Any) -> bool:
        """Go on from the last checkpoint of this trial, or of the one it continues; whether there was one.

        Args:
            objects: models, optimisers, schedulers, generators: what `checkpoint` will be given too.

        Raises:
            WorkloadError: the checkpoint does not fit the objects.
        """
        objects = self._noted(objects)
        request, source = self._request, self._ledger
        trial = request.trial
        checkpoint = None if self._first_start else checkpoints.load(source, trial, request.config)
        if checkpoint is None and request.continue_from:
            trial = request.continue_from
            if not trial.startswith(request.config):
                raise LedgerError(f"{request.trial} cannot continue {trial}, which is another configuration")
            if request.source:
                named = self._definition.warm_start
                source = open_source(request.source, source, f"source of {request.trial}", named)
            checkpoint = checkpoints.load(source, trial, request.config)
            if checkpoint is None:
                self._say(f"{trial} left no checkpoint to go on from: training from the beginning")
        self._group.agree(None)  # nobody goes on, and writes another checkpoint, before all have read this one
        if checkpoint is None:
            return False
        self._progress, saved = checkpoint
        if trial != request.trial:
            self._progress.go_on()
        checkpoints.load_states(objects, saved, f"the checkpoint of {trial}")
        self._began = time.monotonic() - self._progress.seconds
        self._say(f"going on from {trial}, step {self._progress.step}")
        return True

    def epochs(self, steps_per_epoch: int) -> Iterator[Epoch]:
        """The epochs that are left to do, the last one perhaps in part.

        Args:
            steps_per_epoch: optimiser steps, that is batches, of a whole epoch.

        Raises:
            WorkloadError: a checkpoint has other epochs, or an epoch's body did not take its steps.
        """
        progress = self._progress
        if steps_per_epoch < 1:
            raise WorkloadError(f"an epoch of {steps_per_epoch} steps: is there any training data?")
        if progress.steps_per_epoch not in (None, steps_per_epoch):
            raise WorkloadError(f"the checkpoint's epochs have {progress.steps_per_epoch} steps, not {steps_per_epoch}")
        progress.steps_per_epoch = steps_per_epoch
        self._target = target = steps(self._request.epochs, steps_per_epoch)
        if progress.step > target:
            raise WorkloadError(f"the checkpoint is at step {progress.step}, beyond the trial's {target}")
        while self.stopped is None and (progress.position == "within" or progress.step < target):
            if progress.position == "within":
                index = (progress.step - 1) // steps_per_epoch
            else:
                index, progress.sums, progress.generators = progress.step // steps_per_epoch, {}, None
            progress.position = "within"
            seed_everything(self.seed, index)
            epoch = Epoch(progress, index, self.seed, target=target, epochs=self._request.epochs, group=self._group)
            yield epoch
            if progress.position == "within":
                raise WorkloadError(
                    f"epoch {index} ended after {progress.step - epoch.first} of its {epoch.last - epoch.first} steps: "
                    "take them all from epoch.batches(…) or epoch.take(…)"
                )

    @property
    def step(self) -> int:
        """Optimiser steps begun so far, the present one included: what a schedule by steps depends on."""
        return self._progress.step

    @property
    def target_epochs(self) -> float:
        """How far to train, counted from the very beginning; `epochs` goes there by itself."""
        return self._request.epochs

    @property
    def id(self) -> str:
        """The trial's id."""
        return self._request.trial

    @property
    def reports(self) -> list[Report]:
        """All reports so far."""
        return deepcopy(self._progress.reports)

    def report(self, **metrics: Any) -> None:
        """Say how good the model is now; several calls at one point make one report.

        Where the trial does not train by `epochs`, a report is of the epoch that it names as `epoch`. Where none does,
        reports are counted: the next begins when a metric comes again.

        Raises:
            NotFiniteError: an objective or a constrained value is infinite or no number; it ends the trial as `nan`.
            TrialStopped: the trial is not worth more training.
            WorkloadError: a value is no number.
        """
        progress = self._progress
        progress.seconds = time.monotonic() - self._began
        epoch = self._epochs_done() if progress.steps_per_epoch is not None else self._take_epoch(metrics)
        report = Report(
            epoch=epoch,
            seconds=round(progress.seconds, 4),
            metrics={name: self._value(name, value) for name, value in metrics.items()},
            early=progress.position == "early",
            closes=progress.position != "within",
        )
        held = progress.reports[-1] if progress.reports else None
        if held is not None and (held.epoch, held.closes) == (report.epoch, report.closes):
            report = replace(report, metrics=held.metrics | report.metrics)
            progress.reports.pop()
        progress.reports.append(report)
        self._keep_best(report)
        self.write_metrics()
        self._say(f"epoch {report.epoch:g}: " + "  ".join(f"{k} {_shown(v)}" for k, v in report.metrics.items()))
        if self._listener is not None and self._group.leads:
            self._listener(report)
        broken = self._group.agree(
            [name for name, value in report.metrics.items() if value is None and name in self._watched]
        )
        if broken:
            raise NotFiniteError(f"{', '.join(broken)} is not finite at epoch {report.epoch:g}")
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
        missing = self._objects.keys() - objects.keys()
        objects = self._noted(objects)
        if not self._checked:
            self._check(objects, missing)
        progress = self._progress
        now = time.monotonic()
        ended = progress.position != "within" and progress.step == self._target
        due = ended or preemption.requested() or now - self._checkpointed >= self._checkpoint_pause()
        if not self._group.leads or not due:
            return
        if progress.position == "within":
            progress.generators = generator_states()
        self._save(objects)
        if progress.position == "within":
            progress.generators = None
        if preemption.requested():
            self._say(f"told to go: saved at step {progress.step}")
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
            export.export(self._ledger, self._request.trial, model, example, opset)
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
        if self._is_of_another_epoch(self.chosen()) and not self._loaded_best:
            raise WorkloadError(
                "objective_at is best: call trial.load_best(model) before you make the ONNX model of it"
            )
        if self._group.leads:
            export.keep(self._ledger, self._request.trial, file, model)
        self.exported = True

    @property
    def folder(self) -> Path:
        """A folder of this trial's own, empty at its start. What lies there when the trial ends is kept as artifacts.

        Nothing hidden is kept, and no links. What must outlive a crash is saved by `save`, or is a checkpoint.
        """
        return self._artifacts.folder

    def save(self, name: str, content: Any) -> None:
        """Keep a file for people at once: the results page shows pictures, tables and text, and gives out the rest.

        Args:
            name: such as `loss.png` or `tables/confusion.csv`; an earlier file of that name is replaced.
            content: bytes, the path of a file, or matplotlib's figure, drawn in the format that the name ends with.

        Raises:
            WorkloadError: the name leads out of the trial's folder or is hidden, it is none of the above, or the
                trial's files would have more bytes than `limits.artifacts`.
        """
        if self._group.leads:
            self._artifacts.save(name, content)

    def keep_folder(self) -> None:
        """Keep what lies in the trial's folder, and say what cannot be."""
        if self._group.leads:
            for line in self._artifacts.keep_folder():
                self._say(line)

    def load_best(self, model: "torch.nn.Module") -> None:
        """Put the weights into the model that the trial's values are of: the best epoch's, with `objective_at: best`.

        `export_onnx` does so by itself. The model may be one that `restore` was given, hold such models, or be a part
        of one, such as an average of weights.

        Raises:
            WorkloadError: these weights were not kept.
        """
        chosen, best = self.chosen(), self._progress.best
        if best is None or not self._is_of_another_epoch(chosen):
            return
        own = _tensors(self._group.unwrap(model))
        trained = {id(weights) for weights in model.parameters() if weights.requires_grad}
        kept: set[int] = set()
        for name, held in self._models().items():
            if own & (tensors := _tensors(held)) and name in best["weights"]:
                checkpoints.load_states({name: held}, best["weights"], "the best epoch")
                kept |= tensors
        if not kept or not trained <= kept:
            raise WorkloadError("the best weights are not kept: give the exported model to trial.restore()")
        self._loaded_best = True

    def chosen(self) -> Report | None:
        """The report whose values are the trial's: the last, or the best as the definition's `objective_at` says."""
        last, best = self._filled(self._last()), self._progress.best
        if self._definition.objective_at == "last" or best is None or last is None:
            return last
        held = Report(**best["report"])
        if last.epoch == held.epoch or self._better(last, held):
            return last
        return self._filled(held)

    def _is_of_another_epoch(self, chosen: Report | None) -> bool:
        """Whether a report's weights are not those that the models have now."""
        last = self._last()
        return chosen is not None and last is not None and chosen.epoch != last.epoch

    def write_metrics(self, *, now: bool = False) -> None:
        """Bring the reports to the ledger, in any case if it is to be `now`."""
        if self._group.leads:
            self._metrics.write(self._progress.reports, time.monotonic() - self._began, now=now)

    def _checkpoint_pause(self) -> float:
        """Seconds that must lie between two checkpoints."""
        if self._checkpoint_every is not None:
            return self._checkpoint_every
        done = self._progress.step / self._target if self._target else 1.0
        length = (time.monotonic() - self._began) / done if done else 0.0
        return CHECKPOINT_INTERVAL.pause(self._ledger.store, length)

    def _ask_to_stop(self) -> None:
        progress = self._progress
        if progress.steps_per_epoch is None:
            left = progress.reports[-1].epoch < self._request.epochs
        else:
            left = progress.position == "between" and self._target is not None and progress.step < self._target
        if self._stop is None or not left:
            return
        verdict = self._group.agree(self._stop(progress.reports) if self._group.leads else None)
        if verdict is None:
            return
        self.stopped = verdict
        self._say(f"stopped by {verdict.rule}: {verdict.reason}")
        if self._objects:  # what the workload would save after its report
            if self._group.leads:
                self._save(self._objects)
            self._group.agree(None)  # nobody reads it before it is written
            self.resumable = True
        raise TrialStopped(verdict.reason)

    def _check(self, objects: Mapping[str, Any], missing: Collection[str]) -> None:
        """See that `restore` will be given what it asks for, before hours have gone into it."""
        if missing:
            names = ", ".join(sorted(missing))
            raise WorkloadError(f"trial.restore() asks for {names}: give trial.checkpoint() the same objects")
        for name, state in checkpoints.states_of(objects).items():
            states.check(name, state)
        self._checked = True

    def _save(self, objects: Mapping[str, Any]) -> None:
        self._progress.seconds = time.monotonic() - self._began
        checkpoints.save(self._ledger, self._request.trial, self._request.config, self._progress, objects)
        self._checkpointed = time.monotonic()

    def _last(self) -> Report | None:
        return self._progress.reports[-1] if self._progress.reports else None

    def _filled(self, report: Report | None) -> Report | None:
        """The report with the latest earlier value of what it lacks: not every metric comes with every epoch."""
        if report is None:
            return None
        earlier = [one.metrics for one in self._progress.reports if one.epoch <= report.epoch]
        return replace(report, metrics=dict(ChainMap(report.metrics, *reversed(earlier))))

    def _epochs_done(self) -> float:
        progress = self._progress
        if progress.position != "within" and progress.step == self._target:
            return self._request.epochs
        return round(progress.step / (progress.steps_per_epoch or 1), 6)

    def _take_epoch(self, metrics: dict[str, Any]) -> float:
        """The epoch of a report, which may name it among its metrics, where none are taken from `epochs`."""
        if EPOCH in metrics:
            return number(metrics.pop(EPOCH))
        last = self._last()
        if last is None:
            return 1.0
        return last.epoch + 1 if last.metrics.keys() & metrics.keys() else last.epoch

    def _value(self, name: str, value: Any) -> float | None:
        if name in (EPOCH, SECONDS):
            raise WorkloadError(f"report({name}=…): {name} is the trainer's own; leave it out or rename it")
        if name.encode(errors="replace").decode() != name:
            raise WorkloadError(f"report({printable(name)}=…): a metric's name is text that UTF-8 can hold")
        try:
            converted = number(value)
        except (TypeError, ValueError) as error:
            raise WorkloadError(f"report({name}=…): {shown(value)} is no number") from error
        return converted if math.isfinite(converted) else None

    def _keep_best(self, report: Report) -> None:
        if self._definition.objective_at == "last" or report.early or not report.closes:
            return
        best = self._progress.best
        again = best is not None and best["report"]["epoch"] == report.epoch
        if best is None or again or self._better(report, Report(**best["report"])):
            weights = {name: states.copied(model) for name, model in self._models().items()}
            self._progress.best = {"report": asdict(report), "weights": weights}

    def _better(self, report: Report, other: Report) -> bool:
        name, direction = next(iter(self._definition.objectives.items()))
        value, held = report.metrics.get(name), other.metrics.get(name)
        if value is None or held is None:
            return value is not None
        return better(value, held, direction)

    def _models(self) -> "dict[str, torch.nn.Module]":
        import torch

        return {name: item for name, item in self._objects.items() if isinstance(item, torch.nn.Module)}

    def _noted(self, objects: Mapping[str, Any]) -> dict[str, Any]:
        """The objects as they are saved, models unwrapped; they are remembered."""
        plain = {name: self._group.unwrap(item) for name, item in objects.items()}
        self._objects |= plain
        return plain

    def _say(self, text: str) -> None:
        """Write a line to the trial's log."""
        if self._group.leads:
            with suppress(OSError, ValueError):  # a workload may have closed it
                print(text, flush=True)  # noqa: T201  (the log is the process's own output)


def _tensors(model: "torch.nn.Module") -> set[int]:
    """Identities of the model's parameters and buffers."""
    return {id(tensor) for tensor in (*model.parameters(), *model.buffers())}


def _shown(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"
