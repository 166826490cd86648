"""The contract between a search and the code it tries: a module with these functions, named in the definition.

The core calls `space` and `cost`, which must not need torch; the trainer runs `prepare`, `train` and `verify` as jobs.
"""

import importlib
import inspect
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.text import error_text
from windtunnel.validation import shown
from windtunnel.workload.files import source_of
from windtunnel.workload.importing import unharmed


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

    @property
    def uses_torch(self) -> bool:
        """Whether its jobs are to import torch first: its source names it, unless its module says otherwise."""
        return self.marked if self.marked is not None else _names_torch(self.name)


def load_workload(name: str) -> Workload:
    """Import the workload's module.

    Args:
        name: `package.module` or `package.module:function`.

    Raises:
        WorkloadError: there is no such module, importing it failed, or it lacks the function that trains.
    """
    module_name, _, function = name.partition(":")
    known = set(sys.modules)
    try:
        with unharmed() if module_name not in known else nullcontext():
            module = importlib.import_module(module_name)
    except BaseException as error:
        if not isinstance(error, Exception | SystemExit | GeneratorExit) and type(error).__module__ in known:
            error.add_note(f"while {name} was imported")
            raise  # a signal's, which asks this process to end, and no fault of the module's
        raise WorkloadError(f"workload {name!r} cannot be imported: {error_text(error)}") from error

    def offered(attribute: str) -> Any:
        value = getattr(module, attribute, None)
        return value if callable(value) else None

    train = offered(function or "train")
    if train is None:
        raise WorkloadError(f"workload {name!r} ({module.__file__}) lacks {function or 'train'}()")
    others = {attribute: offered(attribute) for attribute in ("prepare", "verify", "space", "cost")}
    for attribute, value in ((function or "train", train), *others.items()):
        if value is not None and (fault := _unfit(value)):
            raise WorkloadError(f"workload {name!r}: {attribute}() {fault}")
    wants_reporter(train)
    return Workload(name, train, **others, marked=getattr(module, "TORCH", None))


def wants_reporter(train: Callable[..., Any]) -> bool:
    """Whether a function trains by `train(args, reporter)`, as AutoGluon has it, rather than by `train(trial)`.

    Raises:
        WorkloadError: it does neither.
    """
    try:
        signature = inspect.signature(train)
    except ValueError:  # not told of what is written in C
        return False
    for count in (1, 2):
        with suppress(TypeError):
            signature.bind(*range(count))
            return count == 2
    name = getattr(train, "__name__", "train")
    raise WorkloadError(
        f"{name}{signature} cannot be called: write {name}(trial), or {name}(args, "
        "reporter); what else it takes needs a default, or stands among settings"
    )


def _unfit(function: Callable[..., Any]) -> str:
    """Why calling a function would do nothing; empty where it would do something."""
    if inspect.iscoroutinefunction(function):
        return "is a coroutine, which nobody awaits: write it with def, and let it call asyncio.run(…)"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "is a generator, whose values nobody takes: call trial.report(…) in place of yield"
    return ""


def known_values(name: str, params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    """What the workload knows of a configuration before training: its `cost(params, settings)`, or nothing.

    Raises:
        WorkloadError: the workload cannot be loaded or its `cost` failed.
    """
    cost = load_workload(name).cost
    if cost is None:
        return {}
    try:
        values = cost(deepcopy(dict(params)), deepcopy(dict(settings)))
        if not isinstance(values, Mapping):
            raise TypeError(f"it returned {type(values).__name__}; allowed: a mapping of names to numbers")
        return {str(key): number(value) for key, value in values.items()}
    except (Exception, SystemExit) as error:
        raise WorkloadError(f"{name}.cost({shown(dict(params))}) failed: {error_text(error)}") from error


def number(value: Any) -> float:
    """A workload's value as a float, whether it is Python's, NumPy's or torch's; infinite where floats end before it.

    Raises:
        TypeError: it is no number.
        ValueError: likewise.
    """
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def described_space(name: str) -> Any:
    """What the workload's `space()` returns; None where it has none.

    Raises:
        WorkloadError: the workload cannot be loaded or its `space` failed.
    """
    space = load_workload(name).space
    try:
        return space() if space is not None else None
    except (Exception, SystemExit) as error:
        raise WorkloadError(f"{name}.space() failed: {error_text(error)}") from error


@lru_cache(maxsize=8)
def _names_torch(name: str) -> bool:
    """Asked for each trial; a job's first answer serves the processes that are forked from it."""
    return any(b"torch" in content for content in source_of(name).values())
