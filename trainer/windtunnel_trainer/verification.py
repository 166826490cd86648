"""What a workload's `verify` gets: a finalist's exported model, its weights, and the test data, used here only."""

import hashlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from windtunnel.definition.model import Definition
from windtunnel.errors import NotFoundError, WindtunnelError, WorkloadError
from windtunnel.ledger import Ledger, Request
from windtunnel.ledger.artifacts import artifact_path, artifacts, is_artifact_name
from windtunnel.ledger.model import ONNX
from windtunnel_trainer import latency
from windtunnel_trainer.checkpoints import load_states
from windtunnel_trainer.data import Arrays, load_split
from windtunnel_trainer.export import exported_model, exported_weights

if TYPE_CHECKING:
    import torch

_BATCH = 512


class VerificationError(WindtunnelError):
    """The exported model is missing, broken, or does not do what torch's does."""


class Verification:
    """One finalist's exported model, to be checked over the whole test set.

    Attributes:
        params: the searched parameters.
        settings: the definition's fixed settings.
        tolerance: the largest difference of an output that passes, absolute.
        metrics: what was measured.
        ledger: of the run.
        definition: of the search.
        trial: its id.
    """

    def __init__(self, ledger: Ledger, definition: Definition, request: Request) -> None:
        """Verify a trained trial.

        Args:
            ledger: of the run.
            definition: of the search.
            request: of the trial.
        """
        self.params = deepcopy(request.params)
        self.settings = deepcopy(definition.settings)
        self.tolerance = definition.verification.tolerance
        self.metrics: dict[str, float] = {}
        self.checked = False
        self.ledger, self.definition, self.trial = ledger, definition, request.trial
        self._copies = tempfile.TemporaryDirectory(prefix="windtunnel-")  # goes with this object

    def load(self, split: str) -> Arrays:
        """The arrays of a prepared split, the test data included.

        Raises:
            WorkloadError: there is no such split.
        """
        return load_split(self.ledger, split)

    def restore(self, *, model: "torch.nn.Module") -> None:
        """Put the exported weights into a model of the same build.

        Raises:
            VerificationError: they were never saved, or cannot be read.
            WorkloadError: they do not fit.
        """
        try:
            state = exported_weights(self.ledger, self.trial)
        except Exception as error:
            raise VerificationError(f"{self.trial} has no readable weights: {error}") from error
        load_states({"model": model}, {"model": state}, self.trial)

    def path(self, name: str) -> Path:
        """A copy of a file that the trial saved, by `save_model`, `save` or in its folder, on this host.

        Raises:
            VerificationError: there is none of that name.
        """
        file = Path(self._copies.name) / name
        if not is_artifact_name(name):
            raise VerificationError(f"model.open({name!r}): give the name that train() saved it by")
        try:
            self.ledger.store.download(artifact_path(self.ledger, self.trial, name), file)
        except NotFoundError as error:
            there = ", ".join(artifacts(self.ledger, self.trial)) or "none"
            raise VerificationError(f"{self.trial} saved no {name!r}; it has {there}") from error
        self.checked = True  # whatever verify() finds of it, the saved model is there and is read
        return file

    def open(self, name: str) -> BufferedReader:
        """A file that the trial saved, open for reading; its `name` is the path of a copy on this host.

        Raises:
            VerificationError: there is none of that name.
        """
        return self.path(name).open("rb")

    def run_onnx(self, *inputs: npt.ArrayLike) -> npt.NDArray[Any]:
        """The exported model's first output for whole arrays of inputs.

        Raises:
            VerificationError: there is none, or onnxruntime cannot load or run it.
        """
        return self._onnx_outputs([np.asarray(value) for value in inputs])[0]

    def compare(self, expected: npt.ArrayLike, found: npt.ArrayLike) -> float:
        """Hold the model's outputs and ONNX's against each other, and note `max_logit_diff`.

        Raises:
            VerificationError: they differ by more than the tolerance, in shape, or in what is finite, or are empty.
        """
        return self._compare(expected, found, "max_logit_diff")

    def classification(self, model: Any, inputs: npt.ArrayLike, labels: npt.ArrayLike) -> Mapping[str, float]:
        """Check a classifier: `test_acc`, and where there is an ONNX model `onnx_acc` and `max_logit_diff`.

        Args:
            model: torch's, with the exported weights; or with `predict_proba` or `predict`, as scikit-learn's; or a
                function of the inputs. It gives a value for each class, the probability of the second of two, or
                labels.
            inputs: N x …, as the model takes them.
            labels: N class numbers, or labels where the model knows its `classes_`.

        Raises:
            VerificationError: the exported model is not the model, or nothing that the trial left is judged.
        """
        x, y = np.asarray(inputs), np.asarray(labels)
        outputs = _outputs(model, x, ("predict_proba", "predict"))
        classes = getattr(model, "classes_", None)
        self.metrics["examples"] = float(len(x))
        self.metrics["test_acc"] = float(np.mean(_labels(outputs, classes) == y))
        if self._has_onnx():
            onnx_outputs = self._onnx_like(outputs, x)
            if onnx_outputs.shape == outputs.shape:
                self.metrics["onnx_acc"] = float(np.mean(_labels(onnx_outputs, classes) == y))
            self.compare(outputs, onnx_outputs)
        return self.metrics

    def regression(self, model: Any, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> Mapping[str, float]:
        """Check a regressor: `test_rmse`, `test_mae`, `test_r2`, with an ONNX model `onnx_rmse` and `max_output_diff`.

        Differences of outputs count relative to the largest output, where that is above 1.

        Args:
            model: torch's, with the exported weights; or with `predict`, as scikit-learn's; or a function of the
                inputs.
            inputs: N x …, as the model takes them.
            targets: N values, or N x outputs.

        Raises:
            VerificationError: the exported model is not the model, or nothing that the trial left is judged.
        """
        x, y = np.asarray(inputs), np.asarray(targets, np.float64)
        outputs = np.asarray(_outputs(model, x, ("predict",)), np.float64).reshape(y.shape)
        spread = float(np.sum((y - y.mean(axis=0)) ** 2))
        self.metrics["examples"] = float(len(x))
        self.metrics["test_rmse"] = _rmse(outputs, y)
        self.metrics["test_mae"] = float(np.mean(np.abs(outputs - y)))
        if spread > 0:
            self.metrics["test_r2"] = 1 - float(np.sum((outputs - y) ** 2)) / spread
        if self._has_onnx():
            exported = np.asarray(self._onnx_like(outputs, x), np.float64).reshape(y.shape)
            self.metrics["onnx_rmse"] = _rmse(exported, y)
            scale = max(1.0, float(np.max(np.abs(outputs))))
            self._compare(outputs / scale, exported / scale, "max_output_diff")
        return self.metrics

    def _has_onnx(self) -> bool:
        """Whether there is an ONNX model to judge.

        Raises:
            VerificationError: there is none, and no saved model was read in its place.
        """
        if self.ledger.onnx_digest(self.trial) is not None:
            return True
        if not self.checked:
            raise VerificationError(
                f"{self.trial} has no {ONNX}, and verify() read no model in its place: train() must end with "
                "trial.export_onnx(…), save_onnx(…), or save_model(name, …), which model.open(name) reads"
            )
        return False

    def _onnx_outputs(self, arrays: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """All outputs of the exported model, float64 inputs as it takes them."""
        try:
            content = exported_model(self.ledger, self.trial)
        except WorkloadError as error:
            raise VerificationError(str(error)) from error
        try:
            runner = latency.session(content)
            feeds = {
                entry.name: array.astype(np.float32) if entry.type == "tensor(float)" else array
                for entry, array in zip(runner.get_inputs(), arrays, strict=True)
            }
            parts = [
                runner.run(None, {name: array[i : i + _BATCH] for name, array in feeds.items()})
                for i in range(0, len(arrays[0]), _BATCH)
            ]
            return [np.concatenate([_plain(each) for each in output]) for output in zip(*parts, strict=True)]
        except Exception as error:
            digest = hashlib.sha256(content).hexdigest()[:16]
            raise VerificationError(
                f"model.onnx of {self.trial} ({len(content)} bytes, digest {digest}) does not run: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _onnx_like(self, outputs: npt.NDArray[Any], x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """That output of the exported model that has the shape of the model's own, or else the first."""
        exported = self._onnx_outputs([x])
        return next((each for each in exported if each.shape == outputs.shape), exported[0])

    def _compare(self, expected: npt.ArrayLike, found: npt.ArrayLike, name: str) -> float:
        want, have = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        if want.shape != have.shape:
            raise VerificationError(f"{self.trial}: the model gives outputs of {want.shape}, ONNX of {have.shape}")
        if not want.size:
            raise VerificationError(f"{self.trial}: there are no outputs to compare")
        difference = float(np.max(np.abs(want - have)))
        self.metrics[name] = float(np.fmax(difference, self.metrics.get(name) or 0.0))
        self.checked = True
        if not difference <= self.tolerance:  # a NaN must not pass
            raise VerificationError(
                f"{self.trial}: ONNX and the model differ by {difference:.3g} in an output over {len(want)} examples, "
                f"and verification.tolerance is {self.tolerance:g}: this model must not be used"
            )
        return difference


def _outputs(model: Any, x: npt.NDArray[Any], methods: Sequence[str]) -> npt.NDArray[Any]:
    """What a model gives for inputs: torch's, one with one of these methods, or a function."""
    if "torch" in sys.modules:
        import torch

        if isinstance(model, torch.nn.Module):
            model.eval()
            with torch.inference_mode():
                parts = [model(torch.from_numpy(x[i : i + _BATCH])).numpy() for i in range(0, len(x), _BATCH)]
            return np.concatenate(parts)
    method = next((getattr(model, name) for name in methods if hasattr(model, name)), model)
    return np.asarray(method(x))


def _labels(outputs: npt.NDArray[Any], classes: Any) -> npt.NDArray[Any]:
    """The classes that outputs mean: the largest of N x classes, the second of two above one half, or labels."""
    if outputs.ndim == 1 and outputs.dtype.kind != "f":
        return outputs
    numbers = outputs.argmax(1) if outputs.ndim > 1 else (outputs >= 0.5).astype(int)
    return numbers if classes is None else np.asarray(classes)[numbers]


def _plain(output: Any) -> npt.NDArray[Any]:
    """An output of onnxruntime as an array; converters of scikit-learn's models give a mapping for each example."""
    if isinstance(output, list) and output and isinstance(output[0], Mapping):
        return np.array([list(each.values()) for each in output])
    return np.asarray(output)


def _rmse(outputs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    return float(np.sqrt(np.mean((outputs - targets) ** 2)))
