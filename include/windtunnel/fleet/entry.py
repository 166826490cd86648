"""What trains: a workload's module, or a script with what lies beside it. It travels with the run."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from windtunnel.definition import Fleet
from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.workload.bundle import unpack
from windtunnel.workload.files import SCRIPT, source_of
from windtunnel.workload.folder import files_of_folder
from windtunnel.workload.source import archived, upload_source


def source_of_entry(fleet: Fleet) -> dict[str, bytes]:
    """The files that the entry is made of, by path.

    Raises:
        WorkloadError: there is none, or they are too large to travel.
    """
    if fleet.script is not None:
        return _without_data(fleet, Path(fleet.script.folder or "."))
    if fleet.entry_script is None:
        return source_of(fleet.entry)
    script = Path(fleet.entry_script)
    if not script.is_file():
        raise WorkloadError(f"entry_script: there is no file {script}")
    return _without_data(fleet, script.parent)


def _without_data(fleet: Fleet, folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for the fleet's data and outputs, whose changes are no changes of the code."""
    others = [Path(fleet.data), *(Path(place) for place in fleet.gather.outputs.values() if place)]

    return files_of_folder(
        folder, lambda file: file.match(fleet.data) or any(file.is_relative_to(other) for other in others)
    )


def upload_entry(ledger: Ledger, fleet: Fleet, source: Mapping[str, bytes]) -> str | None:
    """Bring the entry's source to the ledger; SHA-256 of the archive, None where every trainer has it."""
    return upload_source(ledger, fleet.workload if fleet.workload is not None else SCRIPT, source)


def fetch_script(ledger: Ledger, fleet: Fleet) -> Path:
    """Azure's entry script as it was when the run began, with what lay beside it, in a folder of this process's own.

    Raises:
        WorkloadError: the archive is missing, or is not what was uploaded.
    """
    content = archived(ledger)
    folder = Path(tempfile.mkdtemp(prefix="windtunnel-code-"))
    process = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == process else None)
    unpack(content, folder, suffix="")
    return folder / Path(fleet.entry).name
