"""The contract between a search and the code it tries: a module with these functions, named in the definition.

The core calls `space` and `cost`, which must not need torch; the trainer runs `prepare`, `train` and `verify` as jobs.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.workload.files import source_of


@dataclass(frozen=True)
class Workload:
    """What a search tries. All but `train` may be missing.

    Attributes:
        name: `package.module`, whose `train` trains, or `package.module:function`.
        train: trains one configuration (`windtunnel_trainer.trial.Trial`).
        prepare: writes the prepared data and its splits (`windtunnel_trainer.data.Preparation`).
        verify: checks a finalist's exported model on the test data (`windtunnel_trainer.verification.Verification`).
        space: describes the searched parameters, as a definition's `space` does.
        cost: what is known of a configuration before training, from its parameters and the definition's settings.
        marked: whether its module says that it needs torch, in `TORCH`; None where it says nothing.
    """

    name: str
    train: Callable[..., Any]
    prepare: Callable[[Any], Any] | None = None
    verify: Callable[[Any], Any] | None = None
    space: Callable[[], Any] | None = None
    cost: Callable[[dict[str, Any], dict[str, Any]], Mapping[str, Any]] | None = None
    marked: bool | None = None

    @cached_property
    def uses_torch(self) -> bool:
        """Whether its jobs are to import torch first: its source names it, unless its module says otherwise."""
        if self.marked is not None:
            return self.marked
        return any(b"torch" in content for content in source_of(self.name).values())


def load_workload(name: str) -> Workload:
    """Import the workload's module.

    Args:
        name: `package.module` or `package.module:function`.

    Raises:
        WorkloadError: there is no such module, importing it failed, or it lacks the function that trains.
    """
    module_name, _, function = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise WorkloadError(f"workload {name!r} cannot be imported: {type(error).__name__}: {error}") from error

    def offered(attribute: str) -> Any:
        value = getattr(module, attribute, None)
        return value if callable(value) else None

    train = offered(function or "train")
    if train is None:
        raise WorkloadError(f"workload {name!r} ({module.__file__}) lacks {function or 'train'}()")
    others = {attribute: offered(attribute) for attribute in ("prepare", "verify", "space", "cost")}
    return Workload(name, train, **others, marked=getattr(module, "TORCH", None))


def known_values(name: str, params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    """What the workload knows of a configuration before training: its `cost(params, settings)`, or nothing.

    Raises:
        WorkloadError: the workload cannot be loaded or its `cost` failed.
    """
    cost = load_workload(name).cost
    if cost is None:
        return {}
    try:
        return {str(key): float(value) for key, value in cost(dict(params), dict(settings)).items()}
    except Exception as error:
        raise WorkloadError(f"{name}.cost({dict(params)}) failed: {type(error).__name__}: {error}") from error
