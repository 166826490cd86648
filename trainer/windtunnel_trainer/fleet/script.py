"""A script that is run for each partition: what it says is the partition's metrics, what it leaves is kept."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from windtunnel.definition import definition_of
from windtunnel.ledger import Ledger
from windtunnel.ledger.model import ONNX
from windtunnel_trainer.failure import ScriptError
from windtunnel_trainer.fleet.partition import Partition
from windtunnel_trainer.script.output import Output
from windtunnel_trainer.script.place import Place
from windtunnel_trainer.script.processes import Processes
from windtunnel_trainer.script.run import describe_end, hear


def trains_by_script(ledger: Ledger) -> Callable[[Partition], None]:
    """A `train(partition)` that runs the definition's script: with `{data}`, the partition's file, and its keys.

    Args:
        ledger: of the run.
    """

    def train(partition: Partition) -> None:
        with tempfile.TemporaryDirectory(prefix="windtunnel-script-") as base:
            _run(ledger, partition, Path(base))

    return train


def _run(ledger: Ledger, partition: Partition, base: Path) -> None:
    """Run it once.

    Raises:
        ScriptError: it ended with another exit code than 0, or by a signal.
        WorkloadError: it cannot be started, or what it leaves cannot be read.
    """
    definition = definition_of(ledger)
    assert definition.script is not None
    place = Place(base, ledger, definition)
    given = {**partition.settings, **partition.keys}
    own = {"data": str(partition.files[0]), "epochs": 1, "epochs_done": 0, "processes": 1}
    values = place.values(partition.keys, partition.settings, **own)
    processes = Processes(place.command(values, given), place.work.folder, place.environment(values, given))
    output = Output(definition.script, definition.objectives, lambda epoch, metrics: partition.report(**metrics))
    last = hear(processes, output, place)
    if processes.code:
        raise ScriptError(f"{definition.script.name} {describe_end(processes.code, place.told(last))}")
    results = place.results(values)
    if results is not None:
        output.results(results, None, 1.0)
    for file in place.work.kept(definition.script.keep):
        partition.save(file.relative_to(place.work.folder).as_posix().replace("/", "_"), file)
    for file in (place.output / ONNX, place.work.folder / ONNX):
        if file.is_file() and place.work.is_made(file):
            partition.save_onnx(file)
            return
