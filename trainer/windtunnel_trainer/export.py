"""ONNX models, and the weights that are in them."""

import hashlib
import io
import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.errors import NotFoundError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.ledger.model import ONNX

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.pt"
_OPSET = 17


def export(ledger: Ledger, trial: str, model: "torch.nn.Module", example: Any) -> None:
    """Write the model as `model.onnx`, every axis but the batch's fixed, and its weights as `weights.pt`.

    The model is put into evaluation mode and its inputs are called `input`, `input_1`, …, its output `output`. The
    exporter that traces is used: it takes a hundredth of a second where the other takes one.

    Raises:
        WorkloadError: torch cannot export it.
    """
    import torch

    inputs = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    names = ["input" if i == 0 else f"input_{i}" for i in range(len(inputs))]
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ONNX
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    model,
                    inputs,
                    str(file),
                    dynamo=False,
                    opset_version=_OPSET,
                    input_names=names,
                    output_names=["output"],
                    dynamic_axes={name: {0: "batch"} for name in (*names, "output")},
                )
        except Exception as error:
            raise WorkloadError(f"the model cannot be exported to ONNX: {type(error).__name__}: {error}") from error
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        ledger.store.upload(ledger.trial_path(trial, ONNX), file, {"sha256": json.dumps(digest)})
    weights = io.BytesIO()
    torch.save(model.state_dict(), weights)
    ledger.store.put(ledger.trial_path(trial, WEIGHTS), weights.getvalue())


def exported_model(ledger: Ledger, trial: str) -> bytes:
    """The trial's ONNX model.

    Raises:
        WorkloadError: it was never exported.
    """
    try:
        with ledger.store.open(ledger.trial_path(trial, ONNX)) as file:
            return file.read()
    except NotFoundError as error:
        raise WorkloadError(f"{trial} has no {ONNX}: train() must end with trial.export_onnx(…)") from error


def exported_weights(ledger: Ledger, trial: str) -> dict[str, Any]:
    """The state of the exported model, on the CPU.

    Raises:
        WorkloadError: it was never exported.
    """
    try:
        file = ledger.store.open(ledger.trial_path(trial, WEIGHTS))
    except NotFoundError as error:
        raise WorkloadError(f"{trial} has no {WEIGHTS}: train() must end with trial.export_onnx(…)") from error
    import torch

    with file:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state
