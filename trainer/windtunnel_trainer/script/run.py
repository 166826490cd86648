"""One run of a script: what it says becomes the trial's reports, what it leaves is kept, its end is the trial's."""

import shlex
import shutil
import signal
import sys
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.definition.script import CHECKPOINT
from windtunnel.definition.threads import share
from windtunnel.errors import WorkloadError
from windtunnel.ledger.model import ONNX
from windtunnel.workload.placeholders import placeholders
from windtunnel_trainer import export, preemption
from windtunnel_trainer.failure import ScriptError
from windtunnel_trainer.left import script_folder
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.saving import checkpoint_pause
from windtunnel_trainer.script.checkpoint import CheckpointFolder
from windtunnel_trainer.script.lines import Lines
from windtunnel_trainer.script.output import Output
from windtunnel_trainer.script.place import Place
from windtunnel_trainer.script.processes import GRACE, Processes
from windtunnel_trainer.stopping import TrialStopped

if TYPE_CHECKING:
    from windtunnel_trainer.trial import Trial


def run_script(trial: "Trial") -> None:
    """Train a trial by the definition's script.

    Raises:
        TrialStopped: the trial is not worth more training; the script has ended.
        NotFiniteError: a value that the search compares is infinite or no number; the script has ended.
        ScriptError: it ended with another exit code than 0, or by a signal.
        WorkloadError: it cannot be started, or what it leaves cannot be read.
    """
    base = script_folder(trial.folder)
    try:
        _Run(trial, base).perform()
    finally:
        shutil.rmtree(base, ignore_errors=True)


class _Run:
    def __init__(self, trial: "Trial", base: Path) -> None:
        definition = trial.definition
        assert definition.script is not None
        self._trial, self._script = trial, definition.script
        self._place = Place(base, trial.ledger, definition)
        self._checkpoint: CheckpointFolder | None = None
        self._done = 0.0
        shadowed = {*trial.params, *trial.settings}
        if CHECKPOINT not in shadowed and any(CHECKPOINT in placeholders(text) for text in self._script.texts):
            self._checkpoint = CheckpointFolder(trial.ledger, trial.id, self._place.checkpoint)
            self._done = trial.take_up(self._checkpoint.restore)
        compared = [*definition.objectives, *definition.constraints]
        self._output = Output(
            self._script, [name for name in compared if name != "latency_ms"], self._report, self._done
        )
        self._lines = Lines()
        self._read = 0  # bytes of the helper's file
        self._began = self._saved = time.monotonic()
        self._unsaved = False

    def perform(self) -> None:
        trial = self._trial
        given = {**trial.settings, **trial.params}
        wanted = share(trial.definition.resources.gpus or 1, trial.definition.limits.slots)
        values = self._place.values(
            trial.params,
            trial.settings,
            seed=trial.seed,
            epochs=_plain(trial.target_epochs),
            epochs_done=_plain(self._done),
            processes=wanted,
        )
        command = self._place.command(values, given)
        ProcessGroup().say(f"running: {shlex.join(command)}")
        if self._checkpoint is not None:
            preemption.heed()
        processes = Processes(
            command, self._place.work.folder, self._place.environment(values, given), self._script.starts(wanted)
        )
        try:
            try:
                self._listen(processes)
            except TrialStopped:
                processes.close()
                with suppress(WorkloadError):  # it may be half written
                    self._take_model()
                raise
            finally:
                processes.close()
            self._conclude(processes.code)
            self._take_results(values)
            self._count_anew()
        finally:
            self._keep()
        if processes.code == 0:
            self._take_model()

    def _listen(self, processes: Processes) -> None:
        """Take in what the processes write until they have ended."""
        lines = self._lines
        decode = getincrementaldecoder("utf-8")("replace").decode
        told_to_go: float | None = None
        for rank, piece in processes.output():
            if piece:
                show(decode(piece) if rank == 0 else _marked(rank, piece))
            if rank == 0:  # the first speaks for all
                for line in lines.add(piece):
                    self._output.line(line)
            self._read_told()
            self._save_now_and_then()
            if preemption.requested():  # the script was told too
                told_to_go = told_to_go or time.monotonic()
                if time.monotonic() > told_to_go + GRACE:
                    processes.end(0)
        for line in lines.end():
            self._output.line(line)
        self._read_told()
        if preemption.requested():
            if self._checkpoint is not None:
                self._checkpoint.save(self._trial.reports)
            preemption.go()

    def _conclude(self, code: int) -> None:
        """Say how the script ended.

        Raises:
            ScriptError: not well.
        """
        if code == 0:
            return
        if self._checkpoint is not None:
            self._checkpoint.save(self._trial.reports)
        if code < 0 and preemption.is_unit():
            self._keep()
            preemption.die_of(-code)  # a process that is killed is a killed trial: it is started again
        raise ScriptError(f"{self._script.name} {describe_end(code, self._place.told(self._lines.error.text()))}")

    def _take_results(self, values: dict[str, object]) -> None:
        """Read the JSON file that the definition names, and report what has come of a last report."""
        self._output.end()
        text = self._place.results(values)
        if text is None:
            return
        reports = self._trial.reports
        last = reports[-1].epoch if reports else None
        self._output.results(text, last, self._trial.target_epochs)

    def _count_anew(self) -> None:
        """Number counted epochs by their end, which is known, where the script did not go on from where it was thought.

        Its checkpoint may be an epoch older or younger than its last report, or it may have begun again.
        """
        surplus = self._output.counted - self._trial.target_epochs
        if 0 < self._done < self._output.counted and (surplus > 0 or surplus == -1):
            self._trial.renumber(self._done, surplus)

    def _take_model(self) -> None:
        """Take the model that the script has left, if it has."""
        for file in (self._place.output / ONNX, self._place.work.folder / ONNX):
            if file.is_file() and self._place.work.is_made(file):
                export.keep(self._trial.ledger, self._trial.id, file, None)
                self._trial.exported = True
                return

    def _keep(self) -> None:
        """Keep the files that the definition names, and the state."""
        if self._checkpoint is not None:
            self._checkpoint.save(self._trial.reports)
        self._trial.keep_files(self._place.work.folder, self._place.work.kept(self._script.keep))

    def _read_told(self) -> None:
        """Take in what `windtunnel.script.report` has written since."""
        try:
            with self._place.reports.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            self._output.told(line.decode(errors="replace"))

    def _save_now_and_then(self) -> None:
        """Bring the checkpoint to the ledger after a report, where the last one is old enough."""
        if self._checkpoint is None or not self._unsaved:
            return
        if time.monotonic() - self._saved < checkpoint_pause(self._trial.ledger, time.monotonic() - self._began):
            return
        self._unsaved = not self._checkpoint.save(self._trial.reports)
        self._saved = time.monotonic()

    def _report(self, epoch: float, metrics: dict[str, float]) -> None:
        self._unsaved = True
        self._trial.report(epoch=epoch, **metrics)


def hear(processes: Processes, output: Output, place: Place) -> str:
    """Take in, and show, all that one process writes; it has ended then. Returns why it failed, if it did."""
    lines = Lines()
    try:
        for _, piece in processes.output():
            show(piece.decode(errors="replace"))
            for line in lines.add(piece):
                output.line(line)
    finally:
        processes.close()
    for line in lines.end():
        output.line(line)
    if place.reports.exists():
        for line in place.reports.read_text().splitlines():
            output.told(line)
    output.end()
    return lines.error.text()


def describe_end(code: int, last: str = "") -> str:
    """How a process ended, in words.

    Args:
        code: its exit code, or minus the number of a signal.
        last: what its last lines tell of the error, which an exit code alone does not.
    """
    number = -code if code < 0 else code - 128
    name = ""
    with suppress(ValueError):
        name = signal.Signals(number).name if number > 0 else ""
    if code < 0:
        return f"was killed by {name or f'signal {number}'}"
    return f"ended with exit code {code}{f', which stands for {name}' if name else ''}{f': {last}' if last else ''}"


def _plain(epochs: float) -> float:
    """A whole number without a point."""
    return int(epochs) if epochs % 1 == 0 else epochs


def _marked(rank: int, piece: bytes) -> str:
    return "".join(f"[{rank}] {line}" for line in piece.decode(errors="replace").splitlines(keepends=True))


def show(text: str) -> None:
    """Write to the unit's log what a script writes."""
    with suppress(OSError, ValueError):
        sys.stdout.write(text)
        sys.stdout.flush()
