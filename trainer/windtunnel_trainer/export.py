"""ONNX models, and the weights that are in them."""

import copy
import hashlib
import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.errors import NotFoundError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.ledger.model import ONNX
from windtunnel.text import error_text
from windtunnel_trainer import states

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.pt"
OPSET = 17
_LARGEST = 2**31 - 1  # bytes of a file in protobuf, which ONNX is


def export(ledger: Ledger, trial: str, model: "torch.nn.Module", example: Any, opset: int = OPSET) -> None:
    """Write the model as `model.onnx`, every axis but the batch's fixed, and its weights as `weights.pt`.

    The model is put into evaluation mode and its inputs are called `input`, `input_1`, …, its output `output`.

    Raises:
        WorkloadError: torch cannot export it, or it does not fit into one file.
    """
    with made(model, example, opset) as file:
        keep(ledger, trial, file, model)


@contextmanager
def made(model: "torch.nn.Module", example: Any, opset: int = OPSET) -> Iterator[Path]:
    """The model's ONNX file, for as long as the context lasts.

    Raises:
        WorkloadError: torch cannot export it, or it does not fit into one file.
    """
    model.eval()
    model = _innermost(model)
    inputs = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))
    if size > _LARGEST:
        raise _too_large(f"the model has {size:,} bytes of weights")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ONNX
        with warnings.catch_warnings(), _tensors_only(model):
            warnings.simplefilter("ignore")
            _write(_without_compiled_parts(model), inputs, file, opset)
        if sum(part.stat().st_size for part in Path(folder).iterdir()) > _LARGEST:
            raise _too_large("the exported model has more")
        yield _in_one_file(file)


def keep(ledger: Ledger, trial: str, given: bytes | str | Path, model: "torch.nn.Module | None") -> None:
    """Check an ONNX model and put it into the ledger, with the weights of torch's model.

    Args:
        ledger: of the run.
        trial: whose model it is.
        given: the ONNX model, or its file.
        model: torch's, by whose weights `verify` judges it; None where that needs none.

    Raises:
        WorkloadError: it is no valid ONNX model, or does not fit into one file.
    """
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ONNX
        try:
            if isinstance(given, bytes):
                file.write_bytes(given)
                if _is_in_parts(file):
                    raise WorkloadError("the ONNX model keeps its weights in other files: give the path, not the bytes")
            else:
                file = _in_one_file(Path(given))
            onnx.checker.check_model(str(file))
        except WorkloadError:
            raise
        except Exception as error:
            raise WorkloadError(f"this is no ONNX model: {_brief(error)}") from error
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        ledger.store.upload(ledger.trial_path(trial, ONNX), file, {"sha256": json.dumps(digest)})
        if model is not None:
            weights = Path(folder) / WEIGHTS
            states.write(states.uncompiled(_innermost(model).state_dict()), weights)
            ledger.store.upload(ledger.trial_path(trial, WEIGHTS), weights)


def exported_model(ledger: Ledger, trial: str) -> bytes:
    """The trial's ONNX model.

    Raises:
        WorkloadError: it was never exported.
    """
    try:
        with ledger.store.open(ledger.trial_path(trial, ONNX)) as file:
            return file.read()
    except NotFoundError as error:
        raise WorkloadError(
            f"{trial} has no {ONNX}: train() must end with trial.export_onnx(…) or save_onnx(…)"
        ) from error


def exported_weights(ledger: Ledger, trial: str) -> dict[str, Any]:
    """The state of the exported model, on the CPU.

    Raises:
        WorkloadError: it was never exported.
    """
    try:
        file = ledger.store.open(ledger.trial_path(trial, WEIGHTS))
    except NotFoundError as error:
        raise WorkloadError(
            f"{trial} has no {WEIGHTS}: train() must end with trial.export_onnx(…) or save_onnx(…)"
        ) from error
    with file:
        state: dict[str, Any] = states.read(file)
    return state


def _write(model: "torch.nn.Module", inputs: tuple[Any, ...], file: Path, opset: int) -> None:
    """Export by tracing, which takes a hundredth of a second; what that cannot do, the exporter that compiles may."""
    import torch

    names = ["input" if i == 0 else f"input_{i}" for i in range(len(inputs))]
    named: dict[str, Any] = {"input_names": names, "output_names": ["output"]}
    try:
        axes = {name: {0: "batch"} for name in (*names, "output")}
        torch.onnx.export(model, inputs, str(file), dynamo=False, opset_version=opset, dynamic_axes=axes, **named)
        return
    except Exception as error:
        traced = error
    try:
        batch = torch.export.Dim("batch")
        inputs = tuple(torch.cat([one, one]) if len(one) == 1 else one for one in inputs)  # 1 would be taken for fixed
        shapes = tuple({0: batch} for _ in inputs)
        torch.onnx.export(
            model, inputs, str(file), dynamo=True, verbose=False, external_data=False, dynamic_shapes=shapes, **named
        )
    except Exception as error:
        raise WorkloadError(
            f"the model cannot be exported to ONNX: {_brief(traced)}; by the other exporter: {_brief(error)}. "
            "Change the model, or make the file yourself and give it to trial.save_onnx(…)"
        ) from traced


def _brief(error: Exception) -> str:
    return error_text(error).partition("\n")[0][:300]


def _too_large(what: str) -> WorkloadError:
    return WorkloadError(
        f"the model cannot be exported to ONNX: {what}, and an ONNX file holds {_LARGEST:,} bytes at most: "
        "make it smaller, or export it as 16-bit numbers"
    )


def _in_one_file(file: Path) -> Path:
    """The model's file itself where it holds all, else one beside it with what it keeps in other files."""
    import onnx

    if not _is_in_parts(file):
        return file
    model = onnx.load(str(file))
    if (size := model.ByteSize()) > _LARGEST:
        raise _too_large(f"with its other files it has {size:,} bytes")
    whole = file.with_name(f"whole-{file.name}")
    onnx.save(model, str(whole))
    return whole


def _is_in_parts(file: Path) -> bool:
    """Whether some of the model's weights are in other files."""
    import onnx
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    return any(map(uses_external_data, _get_all_tensors(onnx.load(str(file), load_external_data=False))))


def _innermost(model: "torch.nn.Module") -> "torch.nn.Module":
    """The model that was compiled, spread over devices or averaged: its weights have the names that `build` gives."""
    from torch.optim.swa_utils import AveragedModel

    from windtunnel_trainer.ddp import unwrap

    while isinstance(inner := unwrap(model), AveragedModel):
        model = inner.module
    unwrapped: torch.nn.Module = inner
    return unwrapped


def _without_compiled_parts(model: "torch.nn.Module") -> "torch.nn.Module":
    """The model as it is written down, or a copy with its compiled parts as they are written down: both exporters."""
    from windtunnel_trainer.ddp import unwrap

    def is_compiled(part: "torch.nn.Module") -> bool:
        return unwrap(part) is not part or getattr(part, "_compiled_call_impl", None) is not None

    if not any(map(is_compiled, model.modules())):
        return model
    model = copy.deepcopy(model)
    for part in list(model.modules()):
        part._compiled_call_impl = None
        for name, child in part.named_children():
            setattr(part, name, unwrap(child))
    return model


@contextmanager
def _tensors_only(model: "torch.nn.Module") -> Iterator[None]:
    """Leave extra states, which may be no tensors, out of the model's state: the exporter stumbles over them."""

    def leave_out(_: Any, state: dict[str, Any], *__: Any) -> None:
        for name in [name for name in state if name.endswith("_extra_state")]:
            del state[name]

    hook = model.register_state_dict_post_hook(leave_out)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        hook.remove()
