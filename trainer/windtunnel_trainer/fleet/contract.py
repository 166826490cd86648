"""What the user brings: Azure's `init`, `run` and `shutdown`, or `train(partition)`; imported, and nothing more."""

import importlib
import importlib.util
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from windtunnel.definition import Fleet
from windtunnel.definition.threads import threads_of
from windtunnel.errors import WorkloadError
from windtunnel.fleet.entry import fetch_script
from windtunnel.ledger import Ledger
from windtunnel.workload.source import fetch_source
from windtunnel_trainer.fleet import azureml

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Contract:
    """The functions of an entry; either `run` or `train` is there.

    Attributes:
        run: Azure's: does a mini-batch and returns an element for each item that succeeded.
        train: trains the model of one partition, and may return rows for the gathered table.
        init: called once a process, before anything else.
        shutdown: called once a process, after its last mini-batch.
        verify: checks a partition's exported model.
        evaluate: judges the gathered table.
    """

    run: Callable[[Any], Any] | None = None
    train: Callable[[Any], Any] | None = None
    init: Callable[[], Any] | None = None
    shutdown: Callable[[], Any] | None = None
    verify: Callable[[Any], Any] | None = None
    evaluate: Callable[[Any], Any] | None = None


def fetch_entry(ledger: Ledger, fleet: Fleet) -> Path | None:
    """Have the entry's source, and the variables of all processes, before any process needs them.

    Returns:
        The entry script's file; None where the entry is a module.
    """
    os.environ |= dict.fromkeys(_THREADS, str(threads_of(fleet))) | fleet.environment_variables
    if fleet.entry_script is not None:
        return fetch_script(ledger, fleet)
    fetch_source(ledger)
    return None


def load(fleet: Fleet, script: Path | None, outputs: Mapping[str, Path]) -> Contract:
    """Import the entry, with its arguments in `sys.argv`.

    Args:
        fleet: its definition.
        script: the entry script's file, where it is one.
        outputs: folders by the names of the fleet's outputs, for the arguments.

    Raises:
        WorkloadError: it has neither `run` nor `train`.
        Exception: whatever importing it raises.
    """
    sys.argv = [str(script or fleet.entry), *_arguments(fleet, outputs)]
    if script is not None:
        azureml.offer(fleet.logging_level)
    module = _script(script) if script is not None else importlib.import_module(fleet.entry)
    names = ("run", "train", "init", "shutdown", "verify", "evaluate")
    offered = {name: value for name in names if callable(value := getattr(module, name, None))}
    if "run" not in offered and "train" not in offered:
        raise WorkloadError(f"{fleet.entry} has neither train(partition) nor Azure's run(mini_batch)")
    if "run" in offered and "train" in offered and script is None:
        offered.pop("run")
    return Contract(**offered)


def _arguments(fleet: Fleet, outputs: Mapping[str, Path]) -> list[str]:
    """The program's arguments, `${{outputs.NAME}}` replaced."""
    text = fleet.program_arguments
    for name, folder in outputs.items():
        text = text.replace(f"${{{{outputs.{name}}}}}", shlex.quote(str(folder)))
    return shlex.split(text)


def _script(file: Path) -> ModuleType:
    """The entry script as a module of its own, in the folder that it expects to be in."""
    os.chdir(file.parent)
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module
