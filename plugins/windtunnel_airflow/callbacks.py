"""What a definition names for Airflow to call when a DAG run ends: functions and notifiers."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from windtunnel.definition import Definition, Fleet
from windtunnel.definition.model import Callback
from windtunnel.errors import DefinitionError
from windtunnel.validation import Fault, shown

EVENTS = ("on_failure", "on_success")


def callbacks(definition: Definition | Fleet) -> dict[str, Any]:
    """The DAG's callbacks, as arguments of `DAG`.

    Raises:
        DefinitionError: some cannot be imported, made or called; its faults say which.
    """
    callbacks: dict[str, Any] = {}
    faults = []
    for event in EVENTS:
        for index, callback in enumerate(getattr(definition.dag, event)):
            try:
                callbacks.setdefault(f"{event}_callback", []).append(_made(callback))
            except Exception as error:  # whatever a module of somebody's own raises
                text = f"found {shown(callback.name)}; it cannot be used: {type(error).__name__}: {error}"
                faults.append(Fault(("dag", event, index), text))
    if faults:
        raise DefinitionError.of(faults)
    return callbacks


def _made(callback: Callback) -> Callable[..., Any]:
    module, _, name = callback.name.rpartition(".")
    named = getattr(importlib.import_module(module), name)
    if isinstance(named, type):
        named = named(**callback.options)
    elif callback.options:
        named = functools.partial(named, **callback.options)
    if not callable(named):
        raise TypeError(f"a {type(named).__name__} cannot be called")
    made: Callable[..., Any] = named
    return made
