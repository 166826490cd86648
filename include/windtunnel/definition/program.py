"""The code that a definition tries: a workload, or the one that runs its script."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from windtunnel.definition.model import Definition
from windtunnel.definition.script import script_warnings
from windtunnel.workload.contract import Workload, load_workload
from windtunnel.workload.files import source_of
from windtunnel.workload.folder import files_of_folder


def workload_of(definition: Definition) -> Workload:
    """The definition's workload; a script's verifies only where it names what does.

    Raises:
        WorkloadError: it cannot be loaded.
    """
    workload = load_workload(definition.workload)
    if definition.script is None or definition.script.verify is not None:
        return workload
    return replace(workload, verify=None)


def warnings_of(definition: Definition, source: Mapping[str, bytes]) -> list[str]:
    """What is right with a definition and yet may not be meant.

    Args:
        definition: of the search, its space resolved.
        source: as `program_of` gives it.
    """
    if definition.script is None:
        return []
    return list(script_warnings(definition.script, definition.model_dump(mode="json"), source))


def program_of(definition: Definition) -> dict[str, bytes]:
    """The files that trials are made of, by path: the workload's source, or what lies beside the script.

    Raises:
        WorkloadError: they cannot be found, or are too large to travel.
    """
    if definition.script is None:
        return source_of(definition.workload)
    return files_of_folder(Path(definition.script.folder or "."))
