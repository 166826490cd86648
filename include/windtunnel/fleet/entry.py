"""What trains: a workload's module, or Azure's entry script with what lies beside it. It travels with the run."""

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from windtunnel.definition import Fleet
from windtunnel.errors import NotFoundError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.workload.bundle import pack, unpack
from windtunnel.workload.files import source_of
from windtunnel.workload.source import upload_source


def source_of_entry(fleet: Fleet) -> dict[str, bytes]:
    """The Python files that the entry is made of, by path.

    Raises:
        WorkloadError: there is none.
    """
    if fleet.entry_script is None:
        return source_of(fleet.entry)
    script = Path(fleet.entry_script)
    if not script.is_file():
        raise WorkloadError(f"entry_script: there is no file {script}")
    return {file.relative_to(script.parent).as_posix(): file.read_bytes() for file in _modules(script.parent)}


def upload_entry(ledger: Ledger, fleet: Fleet, source: Mapping[str, bytes]) -> str | None:
    """Bring the entry's source to the ledger; SHA-256 of the archive, None where every trainer has it."""
    if fleet.workload is not None:
        return upload_source(ledger, fleet.workload, source)
    content = pack(source)
    digest = hashlib.sha256(content).hexdigest()
    ledger.store.put(ledger.path(f"code/{digest}.zip"), content)
    return digest


def fetch_script(ledger: Ledger, fleet: Fleet) -> Path:
    """The entry script as it was when the run began, with what lay beside it, in a folder of this process's own.

    Raises:
        WorkloadError: the archive is missing, or is not what was uploaded.
    """
    digest = ledger.spec.archive or ""
    try:
        content = ledger.store.get(ledger.path(f"code/{digest}.zip"))
    except NotFoundError as error:
        raise WorkloadError(f"{ledger.url} lacks the source of {fleet.entry}, code/{digest}.zip") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise WorkloadError(f"{ledger.url}/code/{digest}.zip is not the source of {fleet.entry} that was uploaded")
    folder = Path(tempfile.mkdtemp(prefix="windtunnel-code-"))
    process = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == process else None)
    unpack(content, folder)
    return folder / Path(fleet.entry).name


def _modules(folder: Path) -> Iterator[Path]:
    """The Python files below a folder, of hidden folders and virtual environments none."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir() and not (entry / "pyvenv.cfg").exists() and entry.name != "__pycache__":
            yield from _modules(entry)
        elif entry.suffix == ".py" and entry.is_file():
            yield entry
