"""What `train(partition)` gets: a partition's keys and files, and ways to report, to save and to export."""

import math
import shutil
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.definition import Fleet, definition_of
from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger, Request
from windtunnel.ledger.stage import Stage
from windtunnel.stores.base import is_name
from windtunnel.workload.contract import number
from windtunnel_trainer import export
from windtunnel_trainer.reports import NotFiniteError
from windtunnel_trainer.verification import Verification

if TYPE_CHECKING:
    import pandas as pd
    import torch


class Partition:
    """One partition's data, and what comes of it.

    Attributes:
        name: of its file.
        keys: values of its key columns, by column.
        files: its files on this host.
        settings: the definition's fixed settings.
        seed: of the training.
        metrics: what was reported, by name; a later report of a name replaces the earlier.
        saved: names of the files that were saved.
    """

    def __init__(
        self, ledger: Ledger, fleet: Fleet, unit: str, name: str, keys: Mapping[str, str], files: list[Path]
    ) -> None:
        """Train a partition.

        Args:
            ledger: of the run.
            fleet: its definition.
            unit: name of the partition's folder in the ledger.
            name: of its file.
            keys: by column.
            files: on this host.
        """
        self.name = name
        self.keys = dict(keys)
        self.files = files
        self.settings = deepcopy(fleet.settings)
        self.seed = fleet.seed
        self.metrics: dict[str, float] = {}
        self.saved: list[str] = []
        self.exported = False
        self._ledger = ledger
        self._unit = unit

    def frame(self) -> "pd.DataFrame":
        """Its rows as a pandas frame."""
        return frame(self.files)

    def report(self, **metrics: Any) -> None:
        """Report metrics of the model: numbers, by name.

        Raises:
            WorkloadError: a value is no number.
            NotFiniteError: a value is infinite, or none.
        """
        for name, value in metrics.items():
            try:
                given = number(value)
            except (TypeError, ValueError) as error:
                raise WorkloadError(f"report({name}={value!r}): give a number") from error
            if not math.isfinite(given):
                raise NotFiniteError(f"{name} is {given}")
            self.metrics[name] = given

    def save(self, name: str, content: bytes | str | Path) -> None:
        """Keep a file of the partition: its content as bytes or text, or the path of a file.

        Raises:
            WorkloadError: the name is none of a file.
        """
        if not is_name(name):
            raise WorkloadError(f"save({name!r}): give a file's name without folders or a leading dot")
        path = self._ledger.trial_path(self._unit, name)
        if isinstance(content, Path):
            self._ledger.store.upload(path, content)
        else:
            self._ledger.store.put(path, content.encode() if isinstance(content, str) else content)
        self.saved = sorted({*self.saved, name})

    def export_onnx(self, model: "torch.nn.Module", example: Any, *, opset: int = export.OPSET) -> None:
        """Export torch's model; `example` is an input, or a tuple of inputs, whose first axis is the batch.

        Raises:
            WorkloadError: the model cannot be exported, or is larger than 2 GiB.
        """
        export.export(self._ledger, self._unit, model, example, opset)
        self.exported = True

    def save_onnx(self, file: bytes | str | Path, model: "torch.nn.Module | None" = None) -> None:
        """Give an ONNX model of your own.

        Raises:
            WorkloadError: it is no valid ONNX model, or is larger than 2 GiB.
        """
        export.keep(self._ledger, self._unit, file, model)
        self.exported = True


class PartitionVerification(Verification):
    """What a fleet's `verify` gets: a partition's exported model, and the partition.

    Attributes:
        partition: that it was trained on.
    """

    def __init__(self, ledger: Ledger, unit: str, partition: Partition) -> None:
        """Verify a partition's model."""
        request = Request(trial=unit, config=unit, params=dict(partition.keys), epochs=0, stage=Stage.iteration(0))
        super().__init__(ledger, definition_of(ledger), request)
        self.partition = partition


def frame(files: list[Path]) -> "pd.DataFrame":
    """The rows of CSV files as one pandas frame.

    Raises:
        WorkloadError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise WorkloadError("a frame needs pandas: install it (`pip install pandas`), or use the paths") from error
    return pd.concat([pd.read_csv(file) for file in files], ignore_index=True)


def clear(folder: Path) -> None:
    """Empty a folder, or make it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
