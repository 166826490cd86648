"""What a workload's `verify` gets: a finalist's exported model, its weights, and the test data, used here only."""

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from windtunnel.definition.model import Definition
from windtunnel.errors import WindtunnelError, WorkloadError
from windtunnel.ledger import Ledger, Request
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

    def run_onnx(self, *inputs: npt.ArrayLike) -> npt.NDArray[Any]:
        """The exported model's first output for whole arrays of inputs.

        Raises:
            VerificationError: there is none, or onnxruntime cannot load or run it.
        """
        arrays = [np.asarray(value) for value in inputs]
        try:
            content = exported_model(self.ledger, self.trial)
        except WorkloadError as error:
            raise VerificationError(str(error)) from error
        try:
            runner = latency.session(content)
            names = [entry.name for entry in runner.get_inputs()]
            parts = [
                runner.run(None, {name: array[i : i + _BATCH] for name, array in zip(names, arrays, strict=True)})[0]
                for i in range(0, len(arrays[0]), _BATCH)
            ]
        except Exception as error:
            digest = hashlib.sha256(content).hexdigest()[:16]
            raise VerificationError(
                f"model.onnx of {self.trial} ({len(content)} bytes, digest {digest}) does not run: "
                f"{type(error).__name__}: {error}"
            ) from error
        return np.concatenate(parts)

    def compare(self, expected: npt.ArrayLike, found: npt.ArrayLike) -> float:
        """Hold torch's outputs and ONNX's against each other, and note `max_logit_diff`.

        Raises:
            VerificationError: they differ by more than the tolerance, in shape, or in what is finite, or are empty.
        """
        want, have = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        if want.shape != have.shape:
            raise VerificationError(f"{self.trial}: torch gives outputs of {want.shape}, ONNX of {have.shape}")
        if not want.size:
            raise VerificationError(f"{self.trial}: there are no outputs to compare")
        difference = float(np.max(np.abs(want - have)))
        self.metrics["max_logit_diff"] = float(np.fmax(difference, self.metrics.get("max_logit_diff") or 0.0))
        self.checked = True
        if not difference <= self.tolerance:  # a NaN must not pass
            raise VerificationError(
                f"{self.trial}: ONNX and torch differ by {difference:.3g} in an output over {len(want)} examples, "
                f"and verification.tolerance is {self.tolerance:g}: this model must not be used"
            )
        return difference

    def classification(
        self, model: "torch.nn.Module", inputs: npt.ArrayLike, labels: npt.ArrayLike
    ) -> Mapping[str, float]:
        """Check a classifier: `test_acc` (torch), `onnx_acc`, `max_logit_diff` and `examples`, which are noted.

        Args:
            model: with the exported weights.
            inputs: N x …, as the model takes them.
            labels: N class numbers.

        Raises:
            VerificationError: the exported model is not the model.
        """
        import torch

        x, y = np.asarray(inputs), np.asarray(labels)
        model.eval()
        with torch.inference_mode():
            parts = [model(torch.from_numpy(x[i : i + _BATCH])).numpy() for i in range(0, len(x), _BATCH)]
        logits = np.concatenate(parts)
        onnx_outputs = self.run_onnx(x)
        self.metrics["examples"] = float(len(x))
        self.metrics["test_acc"] = float(np.mean(logits.argmax(1) == y))
        if onnx_outputs.shape == logits.shape:
            self.metrics["onnx_acc"] = float(np.mean(onnx_outputs.argmax(1) == y))
        self.compare(logits, onnx_outputs)
        return self.metrics
