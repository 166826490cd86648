"""Runs what a definition names to check a finalist's model: its exit code is the verdict, what it says is recorded."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.definition import Definition
from windtunnel.definition.script import MODEL
from windtunnel.ledger.model import ONNX
from windtunnel_trainer.export import exported_model
from windtunnel_trainer.script.output import Output
from windtunnel_trainer.script.place import Place
from windtunnel_trainer.script.processes import Processes
from windtunnel_trainer.script.run import describe_end, hear

if TYPE_CHECKING:
    from windtunnel_trainer.verification import Verification


def run_check(model: "Verification") -> None:
    """Check a model; what the check reports, or writes as metrics of the definition, is noted.

    Raises:
        VerificationError: the check ended with another exit code than 0.
        WorkloadError: there is no model, or the check cannot be started.
    """
    from windtunnel_trainer.verification import VerificationError

    definition = model.definition
    assert isinstance(definition, Definition) and definition.script is not None

    def note(epoch: float, metrics: dict[str, float]) -> None:
        model.metrics |= metrics

    with tempfile.TemporaryDirectory(prefix="windtunnel-check-") as base:
        place = Place(Path(base), model.ledger, definition)
        file = Path(base) / ONNX
        file.write_bytes(exported_model(model.ledger, model.trial))
        given = {**model.settings, **model.params}
        own = {MODEL: str(file), "epochs": definition.epochs.full, "epochs_done": definition.epochs.full}
        values = place.values(model.params, model.settings, **own, processes=1)
        processes = Processes(place.check_command(values), place.work.folder, place.environment(values, given))
        hear(processes, Output(definition.script, definition.objectives, note), place)
    if processes.code:
        raise VerificationError(f"script.verify: the check {describe_end(processes.code)}: this model must not be used")
    model.checked = True
