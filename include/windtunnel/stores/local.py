"""A store in a local folder, or on any file system that several hosts mount."""

import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic_core import from_json

from windtunnel.errors import ConflictError, NotFoundError, StoreError
from windtunnel.stores.base import Entry, Metadata, Store, checked_path

# Beside an object `folder/name` its metadata is `folder/.meta/name.<etag>`. It is written before the object's version
# becomes visible under that etag, so a reader who has seen a version finds the metadata of that version, or none where
# the folder was copied.
_HIDDEN = ".meta"


class LocalStore(Store):
    """Objects are files under one folder; files and folders whose names begin with a dot are no objects.

    A write goes to a temporary file first, which is then linked (create-once) or renamed (replace) to its place, so
    that readers never see a part of it, and is on the disk when the call returns.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made by the first write.

        Args:
            folder: absolute, or relative to the working directory of now.
        """
        self.folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100  (unlike resolve(), keeps symlinks)
        self.url = str(self.folder)

    def local_file(self, path: str) -> Path:
        """The file that is the object, whether it exists or not."""
        return self.folder / checked_path(path)

    def get(self, path: str) -> bytes:
        """The object's content."""
        with self._explained("read", path):
            return self.local_file(path).read_bytes()

    def stat(self, path: str) -> Entry:
        """The object's entry."""
        with self._explained("read", path):
            return _entry(path, str(self.local_file(path)))

    def tail(self, path: str, size: int) -> bytes:
        """The last bytes of the object."""
        with self._explained("read", path), self.local_file(path).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size)

    def download(self, path: str, file: Path) -> None:
        """Copy the object to a file."""
        with self._explained("read", path), self.local_file(path).open("rb"):
            pass  # so that a missing object is told from a folder that cannot be written
        with self._explained("download", path):
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.{uuid4().hex}.tmp")
            try:
                shutil.copyfile(self.local_file(path), part)
                part.replace(file)
            finally:
                part.unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose path begins with `prefix`, in order."""
        folder, _, start = prefix.rpartition("/")
        parts = folder.split("/") if folder else []
        if any(not part or part.startswith(".") for part in parts):
            return iter(())
        return self._walk(self.folder.joinpath(*parts), f"{folder}/" if folder else "", start)

    def delete(self, path: str) -> None:
        """Remove the object."""
        file = self.local_file(path)
        with self._explained("delete", path), suppress(FileNotFoundError, NotADirectoryError), _locked(file):
            old = _version(file)
            file.unlink()
            _meta(file, old).unlink(missing_ok=True)

    def _create(self, path: str, data: bytes, metadata: Metadata) -> bool:
        file = self.local_file(path)
        with self._explained("create", path):
            if file.is_file():
                return False
            temporary = _temporary(file)
            try:
                temporary.write_bytes(data)
                meta = _finish(temporary, file, metadata)
                try:
                    os.link(temporary, file)
                except OSError as error:
                    meta.unlink(missing_ok=True)
                    if isinstance(error, FileExistsError) and file.is_file():
                        return False
                    raise
            finally:
                temporary.unlink(missing_ok=True)
            _sync(file.parent)
        return True

    def _put(self, path: str, data: bytes, metadata: Metadata, if_match: str | None) -> None:
        with self._explained("write", path):
            temporary = _temporary(self.local_file(path))
            try:
                temporary.write_bytes(data)
                self._replace(path, temporary, metadata, if_match)
            finally:
                temporary.unlink(missing_ok=True)

    def _upload(self, path: str, file: Path, metadata: Metadata) -> None:
        with self._explained("write", path):
            temporary = _temporary(self.local_file(path))
            try:
                shutil.copyfile(file, temporary)
                self._replace(path, temporary, metadata, None)
            finally:
                temporary.unlink(missing_ok=True)

    def _replace(self, path: str, temporary: Path, metadata: Metadata, if_match: str | None) -> None:
        file = self.local_file(path)
        meta = _finish(temporary, file, metadata)
        with _locked(file):
            old = _version(file)
            if if_match is not None and old != if_match:
                meta.unlink(missing_ok=True)
                raise ConflictError(f"{file} was written by somebody else meanwhile: read it again")
            temporary.replace(file)
            if old is not None:
                _meta(file, old).unlink(missing_ok=True)
        _sync(file.parent)

    def _walk(self, folder: Path, base: str, start: str) -> Iterator[Entry]:
        with self._explained("list", base):
            try:
                with os.scandir(folder) as found:
                    children = [
                        (child.name, child.is_dir(follow_symlinks=False), child.is_symlink())
                        for child in found
                        if child.name.startswith(start) and not child.name.startswith(".")
                    ]
            except (FileNotFoundError, NotADirectoryError):
                return
        # A folder sorts as what its objects' paths go on with.
        for name, is_folder, is_link in sorted(children, key=lambda child: child[0] + "/" * child[1]):
            if is_folder:
                yield from self._walk(folder / name, f"{base}{name}/", "")
            elif not is_link:
                entry = None
                with self._explained("list", f"{base}{name}"), suppress(FileNotFoundError):  # deleted meanwhile
                    entry = _entry(f"{base}{name}", f"{folder}{os.sep}{name}")
                if entry is not None:
                    yield entry

    @contextmanager
    def _explained(self, action: str, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = self.folder / path
            if action == "read" and isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
                raise NotFoundError(f"there is no {where}") from error
            raise StoreError(f"cannot {action} {where}: {error.strerror or error}") from error


def _entry(path: str, file: str) -> Entry:
    """The entry of a file, which is named by text: a Path for each would double the time of a long listing."""
    while True:
        found = os.stat(file)  # noqa: PTH116
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(errno.ENOENT, "no regular file", file)
        etag = _etag(found)
        metadata = _read_meta(file, etag)
        # Without metadata, either there is none or this version was replaced between the two looks.
        if metadata is not None or _version(Path(file)) == etag:
            modified = datetime.fromtimestamp(found.st_mtime_ns / 1e9, UTC)
            return Entry(path, found.st_size, modified, etag, metadata or {})


def _etag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _version(file: Path) -> str | None:
    try:
        return _etag(file.stat())
    except FileNotFoundError:
        return None


def _meta(file: Path, etag: str | None) -> Path:
    return file.parent / _HIDDEN / f"{file.name}.{etag}"


def _read_meta(file: str, etag: str) -> Metadata | None:
    folder, _, name = file.rpartition(os.sep)
    try:
        with open(f"{folder}/{_HIDDEN}/{name}.{etag}", "rb", buffering=0) as opened:  # noqa: PTH123
            content = from_json(opened.readall())
    except (FileNotFoundError, ValueError):  # a torn file is what a power failure leaves
        return None
    return content if isinstance(content, dict) else None


def _temporary(file: Path) -> Path:
    hidden = file.parent / _HIDDEN
    hidden.mkdir(parents=True, exist_ok=True)
    return hidden / f"{uuid4().hex}.tmp"


def _finish(temporary: Path, file: Path, metadata: Metadata) -> Path:
    """Bring a temporary file to the disk and write its metadata, whose path is returned."""
    now = time.time_ns()  # the kernel's own time stamp is coarse: two versions within a tick could share an etag
    os.utime(temporary, ns=(now, now))
    _sync(temporary)
    meta = _meta(file, _version(temporary))
    if metadata:
        meta.write_text(json.dumps(dict(metadata)))
    return meta


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep other replacers of the folder's objects out; only for as long as a rename takes."""
    hidden = file.parent / _HIDDEN
    hidden.mkdir(exist_ok=True)
    descriptor = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # whoever was forked meanwhile holds it too: closing would not do
        os.close(descriptor)
