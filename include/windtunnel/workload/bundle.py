"""Files as one archive, which is known by its digest: how code travels through a ledger."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from windtunnel.errors import WorkloadError
from windtunnel.stores.base import MOST_AT_ONCE

LARGEST = MOST_AT_ONCE  # bytes of all files together
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file can tell: equal files make equal archives


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as a ZIP archive, not compressed: how that comes out differs by host.

    Args:
        files: contents by path.

    Raises:
        WorkloadError: they are too large.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, _NO_TIME), content)
    if buffer.tell() > LARGEST:
        most, size = max(files, key=lambda path: len(files[path])), buffer.tell()
        raise WorkloadError(
            f"the workload's source has {size:,} bytes, the largest file being {most}: at most {LARGEST:,} are packed"
        )
    return buffer.getvalue()


def unpack(content: bytes, folder: Path, suffix: str = ".py") -> list[str]:
    """Unpack an archive that `pack` has made; what it never makes is refused. What begins with `#!` can be executed.

    Args:
        content: of the archive.
        folder: to unpack into.
        suffix: that all files have; a script's may have any, `""`.

    Returns:
        The files' paths below the folder.

    Raises:
        WorkloadError: it is too large, or holds another file, or one that is not below the folder.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > LARGEST:
            raise WorkloadError(f"the archive of the source unpacks to more than {LARGEST:,} bytes")
        for entry in entries:
            file = (folder / entry.filename).resolve()
            if not file.name.endswith(suffix) or not file.is_relative_to(folder.resolve()):
                kind = "Python file" if suffix else "file"
                raise WorkloadError(f"the archive of the source holds {entry.filename!r}, which is no {kind} in it")
            data = archive.read(entry)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            if data.startswith(b"#!"):
                file.chmod(0o755)
        return [entry.filename for entry in entries]
