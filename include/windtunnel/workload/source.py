"""The source of a user's own workload: packed into the run's ledger, where jobs find it whose host does not have it."""

import atexit
import hashlib
import importlib
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from windtunnel.errors import NotFoundError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.workload.bundle import pack, unpack
from windtunnel.workload.files import EVERYWHERE, SCRIPT, code_digest, module_of, source_of

_archives: dict[str, bytes] = {}  # by digest; the last one that was read


def upload_source(ledger: Ledger, workload: str, source: Mapping[str, bytes]) -> str | None:
    """Bring the workload's source to the ledger, as `code/<digest>.zip`.

    Returns:
        SHA-256 of the archive; None for a workload that every trainer has.

    Raises:
        WorkloadError: it is too large.
    """
    if workload != SCRIPT and module_of(workload).partition(".")[0] in EVERYWHERE:
        return None
    content = pack(source)
    digest = hashlib.sha256(content).hexdigest()
    ledger.store.put(_path(ledger, digest), content)  # whatever is there
    return digest


def fetch_source(ledger: Ledger) -> None:
    """Make the run's workload importable in this process, as it was when the session began; a script's files are read.

    Where this host has the very same source it is imported from here; else the ledger's archive is unpacked into a
    folder of this process's own, which goes before all else on Python's path.

    Args:
        ledger: of the run, with the specification to run.

    Raises:
        WorkloadError: the archive is missing, or is not what was uploaded.
    """
    workload, digest = str(ledger.spec.definition["workload"]), ledger.spec.archive
    if digest is None or (workload != SCRIPT and _is_here(workload, ledger.spec.code)):
        return
    content = archived(ledger)
    if workload == SCRIPT:
        return
    folder = tempfile.mkdtemp(prefix="windtunnel-code-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    paths = unpack(content, Path(folder))
    packed = {path.partition("/")[0].removesuffix(".py") for path in paths}
    for name in [name for name in sys.modules if name.partition(".")[0] in packed]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    importlib.invalidate_caches()


def archived(ledger: Ledger) -> bytes:
    """The archive of the run's source; it is read once, so that processes that are forked from this one have it.

    Raises:
        WorkloadError: it is missing, or is not what was uploaded.
    """
    digest, name = str(ledger.spec.archive), _named(ledger)
    if digest not in _archives:
        try:
            content = ledger.store.get(_path(ledger, digest))
        except NotFoundError as error:
            raise WorkloadError(f"{ledger.url} lacks the source of {name}, code/{digest}.zip") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise WorkloadError(f"{ledger.url}/code/{digest}.zip is not the source of {name} that was uploaded")
        _archives.clear()
        _archives[digest] = content
    return _archives[digest]


def _named(ledger: Ledger) -> str:
    """What the run tries, as people call it."""
    definition = ledger.spec.definition
    return str((definition.get("script") or {}).get("file") or definition.get("entry_script") or definition["workload"])


def _is_here(workload: str, code: str) -> bool:
    try:
        return code_digest(source_of(workload)) == code
    except WorkloadError:
        return False


def _path(ledger: Ledger, digest: str) -> str:
    return ledger.path(f"code/{digest}.zip")
