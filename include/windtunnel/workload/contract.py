"""The contract between a search and the code it tries: a module with these functions, named in the definition.

The core calls `space` and `cost`, which must not need torch; the trainer runs `prepare`, `train` and `verify` as jobs.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

from windtunnel.errors import WorkloadError

REQUIRED = ("prepare", "train")


@runtime_checkable
class Workload(Protocol):
    """A module that trains models. `verify`, `space` and `cost` may be left out."""

    def prepare(self, data: Any) -> None:
        """Write the prepared data and its splits (`windtunnel_trainer.data.Preparation`)."""

    def train(self, trial: Any) -> None:
        """Train one configuration (`windtunnel_trainer.trial.Trial`)."""

    def verify(self, model: Any) -> None:
        """Check a finalist's exported model on the test data (`windtunnel_trainer.verification.Verification`)."""


def load_workload(name: str) -> Workload:
    """Import the workload's module.

    Raises:
        WorkloadError: there is no such module, importing it failed, or a function of the contract is missing.
    """
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise WorkloadError(f"workload {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    missing = [function for function in REQUIRED if not callable(getattr(module, function, None))]
    if missing:
        raise WorkloadError(f"workload {name!r} ({module.__file__}) lacks {', '.join(missing)}()")
    return cast(Workload, module)


def verifies(name: str) -> bool:
    """Whether the workload checks its exported models: whether it has a `verify`.

    Raises:
        WorkloadError: the workload cannot be loaded.
    """
    return callable(getattr(load_workload(name), "verify", None))


def known_values(name: str, params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    """What the workload knows of a configuration before training: its `cost(params, settings)`, or nothing.

    Raises:
        WorkloadError: the workload cannot be loaded or its `cost` failed.
    """
    cost = getattr(load_workload(name), "cost", None)
    if cost is None:
        return {}
    try:
        return {str(key): float(value) for key, value in cost(dict(params), dict(settings)).items()}
    except Exception as error:
        raise WorkloadError(f"{name}.cost({dict(params)}) failed: {type(error).__name__}: {error}") from error
