"""The source of a user's own workload: packed into the run's ledger, where jobs find it whose host does not have it."""

import atexit
import hashlib
import importlib
import importlib.util
import io
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from windtunnel.errors import NotFoundError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.stores.base import MOST_AT_ONCE
from windtunnel.workload.contract import code_digest

_EVERYWHERE = ("windtunnel", "windtunnel_trainer")  # wherever a job runs
_LARGEST = MOST_AT_ONCE  # bytes that a source may unpack to
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file can tell: equal sources make equal archives


def upload_source(ledger: Ledger, workload: str) -> str | None:
    """Bring the workload's source to the ledger, as `code/<digest>.zip`: Python files of its outermost package.

    Returns:
        SHA-256 of the archive; None for a workload that every trainer has.

    Raises:
        WorkloadError: there is no such module, or it is too large.
    """
    outermost = workload.partition(".")[0]
    if outermost in _EVERYWHERE:
        return None
    content = _packed(outermost)
    digest = hashlib.sha256(content).hexdigest()
    ledger.store.put(_path(ledger, digest), content)  # whatever is there
    return digest


def fetch_source(ledger: Ledger) -> None:
    """Make the run's workload importable in this process, as it was when the session began.

    Where this host has the very same module it is imported from here; else the ledger's archive is unpacked into a
    folder of this process's own, which goes before all else on Python's path.

    Args:
        ledger: of the run, with the specification to run.

    Raises:
        WorkloadError: the archive is missing, or is not what was uploaded.
    """
    workload, digest = str(ledger.spec.definition["workload"]), ledger.spec.archive
    if digest is None or _is_here(workload, ledger.spec.code):
        return
    try:
        content = ledger.store.get(_path(ledger, digest))
    except NotFoundError as error:
        raise WorkloadError(f"{ledger.url} lacks the source of {workload}, code/{digest}.zip") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise WorkloadError(f"{ledger.url}/code/{digest}.zip is not the source of {workload} that was uploaded")
    outermost = workload.partition(".")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == outermost]:
        del sys.modules[name]
    folder = tempfile.mkdtemp(prefix="windtunnel-code-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _unpack(content, Path(folder))
    sys.path.insert(0, folder)
    importlib.invalidate_caches()


def _packed(module: str) -> bytes:
    """The Python files of a module or package as a ZIP archive, not compressed: how that comes out differs by host."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, file in sorted(_files(module).items()):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), file.read_bytes())
    if buffer.tell() > _LARGEST:
        raise WorkloadError(f"the source of {module!r} has {buffer.tell():,} bytes: at most {_LARGEST:,} are packed")
    return buffer.getvalue()


def _unpack(content: bytes, folder: Path) -> None:
    """Unpack an archive that `_packed` has made; what it never makes is refused."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > _LARGEST:
            raise WorkloadError(f"the archive of the source unpacks to more than {_LARGEST:,} bytes")
        for entry in entries:
            file = (folder / entry.filename).resolve()
            if file.suffix != ".py" or not file.is_relative_to(folder.resolve()):
                raise WorkloadError(
                    f"the archive of the source holds {entry.filename!r}, which is no Python file in it"
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(entry))


def _files(module: str) -> dict[str, Path]:
    """Files of a module or package, by their names below the folder that is on Python's path.

    A package without `__init__.py` may lie in several folders: of files of one name the first is meant, as in imports.
    """
    loaded = sys.modules.get(module)
    spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations:
        folders = [Path(folder) for folder in spec.submodule_search_locations]
        pairs = [(folder.parent, file) for folder in reversed(folders) for file in sorted(folder.rglob("*.py"))]
        return {file.relative_to(parent).as_posix(): file for parent, file in pairs}
    if spec is None or spec.origin is None:
        raise WorkloadError(f"workload {module!r} cannot be found: is its folder on PYTHONPATH?")
    return {Path(spec.origin).name: Path(spec.origin)}


def _is_here(workload: str, code: str) -> bool:
    try:
        return code_digest(workload) == code
    except WorkloadError:
        return False


def _path(ledger: Ledger, digest: str) -> str:
    return ledger.path(f"code/{digest}.zip")
