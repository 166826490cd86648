"""Before a trial trains: whether the model that comes at its end can be exported, which takes no trained one."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.definition.model import Definition
from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger, Request
from windtunnel.workload.contract import Workload
from windtunnel.workload.files import source_of
from windtunnel_trainer import child, export
from windtunnel_trainer.entry import caller
from windtunnel_trainer.epochs import Epoch
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.trial import Trial

if TYPE_CHECKING:
    import torch

_SHARE = 0.02  # of the time that a job's trials take: beyond it no more rehearsals begin


def rehearse(workload: Workload, ledger: Ledger, definition: Definition, request: Request) -> None:
    """Call `train` with no epochs to do, so that it comes to its export at once. Nothing is written.

    It is done for a workload that trains in `trial.epochs` and ends with `trial.export_onnx`; whatever else happens in
    it is of no account, for a `train` may count on having trained.

    Raises:
        WorkloadError: the model cannot be exported.
    """
    if definition.script is not None:  # has no epochs but its own
        return
    source = b"".join(source_of(definition.workload).values())
    if b".epochs(" not in source or b".export_onnx(" not in source:
        return
    trial = _Rehearsal(ledger, definition, request)
    with suppress(BaseException), redirect_stdout(StringIO()):
        child.alone(caller(workload.train), trial)
    fault = trial.fault
    del trial
    gc.collect()  # its model and its data go before the trial's own come
    if fault is not None:
        raise WorkloadError(f"before any training: {fault}")


@contextmanager
def rehearsed(
    workload: Workload, ledger: Ledger, definition: Definition, request: Request, log: Path
) -> Iterator[None]:
    """The time in which a trial trains, rehearsed where that takes little beside what the job's trials take.

    Args:
        workload: to rehearse.
        ledger: of the run.
        definition: of the search.
        request: of the trial.
        log: the unit's, in the job's own folder, where its trials share how long both took.

    Raises:
        WorkloadError: the model cannot be exported.
    """
    file = log.with_name("rehearsals.txt")
    spent, trained = _times(file)
    began = time.monotonic()
    if ProcessGroup().agree(spent <= _SHARE * trained):
        rehearse(workload, ledger, definition, request)
    middle = time.monotonic()
    yield
    spent, trained = spent + middle - began, trained + time.monotonic() - middle
    if ProcessGroup().leads:
        with suppress(OSError):  # a full disk
            file.write_text(f"{spent} {trained}")


def _times(file: Path) -> tuple[float, float]:
    """Seconds that the job's rehearsals took so far, and its trials."""
    with suppress(OSError, ValueError):
        spent, trained = map(float, file.read_text().split())
        return spent, trained
    return 0.0, 0.0


class _Over(BaseException):
    """Ends the rehearsal, whatever `train` catches."""


class _Rehearsal(Trial):
    """A trial without epochs that tries its export.

    Attributes:
        fault: why the model cannot be exported.
    """

    fault: WorkloadError | None = None
    _walked = False

    def restore(self, **objects: Any) -> bool:
        return False

    def epochs(self, steps_per_epoch: int) -> Iterator[Epoch]:
        if self._walked:  # a loop that waits for an epoch would wait for ever
            raise _Over
        self._walked = True
        return iter(())

    def report(self, **metrics: Any) -> None:
        """Nothing was measured."""

    def checkpoint(self, **objects: Any) -> None:
        """Nothing is kept."""

    def load_best(self, model: "torch.nn.Module") -> None:
        """No epoch was the best."""

    def export_onnx(self, model: "torch.nn.Module", example: Any, *, opset: int = export.OPSET) -> None:
        import torch

        if not self._group.leads:
            raise _Over
        model = self._group.unwrap(model)
        model.eval()
        with torch.no_grad():  # a model that does not even run says so itself; it also takes its shape from this
            model(*(example if isinstance(example, (tuple, list)) else (example,)))
        try:
            with export.made(model, example, opset):
                pass
        except WorkloadError as error:
            self.fault = error
        raise _Over

    def save(self, name: str, content: Any) -> None:
        """Nothing is kept."""

    def save_model(self, name: str, model: Any) -> None:
        raise _Over

    def save_onnx(self, file: bytes | str | Path, model: "torch.nn.Module | None" = None) -> None:
        raise _Over
