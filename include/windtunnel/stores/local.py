"""A store in a local folder, or on any file system that several hosts mount."""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import uuid4

from pydantic_core import from_json

from windtunnel.errors import ConflictError, NotFoundError, StoreError, UnavailableError
from windtunnel.host.beneath import open_child, open_file, opened_folder, status
from windtunnel.stores.base import (
    METADATA_LIMIT,
    PATH_LIMIT,
    Entry,
    Metadata,
    Store,
    checked_path,
    checked_size,
    is_name,
)

# Beside an object `folder/name` its metadata is `folder/.meta/name.<etag>`. It is written before the object's version
# becomes visible under that etag, so a reader who has seen a version finds the metadata of that version, or none where
# the folder was copied.
_HIDDEN = ".meta"
_LOCK, _TEMPORARY = "lock", ".tmp"  # other files there: what replacers lock, and the endings of temporary files
_MOST_METADATA = 4 * METADATA_LIMIT  # bytes of a file of metadata, JSON's own characters included
_FULL = 1024 * 1024  # bytes: a disk with less room is full
# Errors that pass when a person mends the disk, or the network to it comes back.
_MAY_PASS = tuple(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "ETIMEDOUT", "ENOTCONN", "EHOSTDOWN", "ENETUNREACH")
    if hasattr(errno, name)
)
# What file systems without hard links answer, such as FAT, and some that are mounted from elsewhere.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV)
_PAUSES = (1.0, 15.0)  # seconds between two tries of a write, the first and the longest
_COPIED = 1024 * 1024  # bytes that are copied at once
_GONE = (FileNotFoundError, NotADirectoryError)
_NO_OBJECT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)  # ENXIO: a socket


T = TypeVar("T")


class LocalStore(Store):
    """Objects are files under one folder; files and folders whose names begin with a dot are no objects.

    Neither are links, pipes and devices: no link is followed below the folder, so that whoever writes there can show
    nobody what lies elsewhere. The folder itself may be a link.

    A write goes to a temporary file first, which is then linked (create-once) or renamed (replace) to its place, so
    that readers never see a part of it, and is on the disk when the call returns. Where the file system has no hard
    links, both are renames behind a lock.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made by the first write.

        Args:
            folder: absolute, or relative to the working directory of now.
        """
        self.folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100  (unlike resolve(), keeps symlinks)
        self.url = str(self.folder)
        self._run = ""

    def of_run(self, root: str) -> "LocalStore":
        """The store for one who works on a run: a folder that was moved away is waited for, not made anew."""
        guarded = copy(self)
        guarded._run = root
        return guarded

    def refusal(self) -> str:
        """That the disk is full, where it is."""
        try:
            disk = os.statvfs(self.folder)
        except OSError:
            return ""
        room = disk.f_bavail * disk.f_frsize
        if not disk.f_blocks or room >= _FULL:
            return ""
        return f"the disk of {self.url} is full ({room} bytes left); free some space, and the run goes on by itself"

    def local_file(self, path: str) -> Path:
        """Where the object is, whether it exists or not; `open` reads it."""
        return self.folder / checked_path(path)

    def open(self, path: str) -> BufferedReader:
        """The object, opened where it lies."""
        *parts, name = checked_path(path).split("/")
        with self._explained("read", path), opened_folder(self.folder, parts) as folder:
            return os.fdopen(open_file(folder, name, os.O_RDONLY), "rb")

    def get_tagged(self, path: str) -> tuple[bytes, str]:
        """The object's content and etag."""
        with self.open(path) as file, self._explained("read", path):
            file_status = os.fstat(file.fileno())
            return file.read(checked_size(f"{self.url}/{path}", file_status.st_size)), _etag(file_status)

    def read(self, path: str, start: int, size: int) -> bytes:
        """A part of the object."""
        with self.open(path) as file, self._explained("read", path):
            file.seek(start)
            return file.read(size)

    def stat(self, path: str) -> Entry:
        """The object's entry."""
        *parts, name = checked_path(path).split("/")
        with self._explained("read", path), opened_folder(self.folder, parts) as folder, _hidden(folder) as hidden:
            return _entry(_Place(folder, hidden, name), path)

    def tail(self, path: str, size: int) -> bytes:
        """The last bytes of the object."""
        with self.open(path) as file, self._explained("read", path):
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size)

    def download(self, path: str, file: Path) -> None:
        """Copy the object to a file."""
        with self.open(path) as source, self._explained("download", path):
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.{uuid4().hex}.tmp")
            try:
                with part.open("xb") as target:
                    shutil.copyfileobj(source, target, _COPIED)
                part.replace(file)
            finally:
                part.unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose path begins with `prefix`, in order."""
        folder, _, start = prefix.rpartition("/")
        parts = tuple(folder.split("/")) if folder else ()
        return self._walk(parts, start) if all(map(is_name, parts)) else iter(())

    def delete(self, path: str) -> None:
        """Remove the object, or the link that stands in its place."""
        *parts, name = checked_path(path).split("/")
        with (
            self._explained("delete", path),
            suppress(*_GONE),
            opened_folder(self.folder, parts) as folder,
            _hidden(folder, make=True) as hidden,
        ):
            place = _Place(folder, hidden, name)
            with _locked(place):
                old = _version(place)
                os.unlink(name, dir_fd=folder)
                _drop_metadata(place, old)

    def sweep(self, prefix: str) -> int:
        """Remove temporary files of killed processes, and the metadata of versions that are not there."""
        with self._explained("sweep", prefix):
            hidden = [Path(top) for top, _, _ in os.walk(self.folder / prefix) if Path(top).name == _HIDDEN]
            return sum(self._swept(folder.parent.relative_to(self.folder).parts) for folder in hidden)

    def _swept(self, parts: tuple[str, ...]) -> int:
        with suppress(*_GONE), opened_folder(self.folder, parts) as folder, _hidden(folder, make=True) as hidden:
            return _sweep(folder, hidden)
        return 0

    def _create(self, path: str, data: bytes, metadata: Metadata) -> bool:
        return self._insist(lambda: self._create_now(path, data, metadata))

    def _create_now(self, path: str, data: bytes, metadata: Metadata) -> bool:
        with self._explained("create", path), self._to_write(path) as place:
            if _version(place) is not None:
                return False
            with _temporary(place, lambda target: target.write(data)) as temporary:
                etag = _finish(place, temporary, metadata)
                try:
                    _put_there(place, temporary)
                except OSError as error:
                    _drop_metadata(place, etag)
                    if isinstance(error, FileExistsError) and _version(place) is not None:
                        return False
                    raise
            os.fsync(place.folder)
        return True

    def _put(self, path: str, data: bytes, metadata: Metadata, if_match: str | None) -> None:
        self._insist(lambda: self._replace(path, lambda target: target.write(data), metadata, if_match))

    def _upload(self, path: str, file: Path, metadata: Metadata) -> None:
        self._insist(lambda: self._upload_now(path, file, metadata))

    def _upload_now(self, path: str, file: Path, metadata: Metadata) -> None:
        with self._explained("write", path), file.open("rb") as source:
            self._replace(path, lambda target: shutil.copyfileobj(source, target, _COPIED), metadata, None)

    def _replace(self, path: str, fill: Callable[[BinaryIO], object], metadata: Metadata, if_match: str | None) -> None:
        with (
            self._explained("write", path),
            self._to_write(path) as place,
            _temporary(place, fill) as temporary,
        ):
            etag = _finish(place, temporary, metadata)
            with _locked(place):
                old = _version(place)
                if if_match is not None and old != if_match:
                    _drop_metadata(place, etag)
                    file = self.folder / path
                    raise ConflictError(f"{file} was written by somebody else meanwhile: read it again")
                os.replace(temporary, place.name, src_dir_fd=place.hidden, dst_dir_fd=place.folder)
                if old is not None:
                    _drop_metadata(place, old)
            os.fsync(place.folder)

    def _walk(self, parts: tuple[str, ...], start: str) -> Iterator[Entry]:
        base = "".join(f"{part}/" for part in parts)
        if len(base) > PATH_LIMIT:
            return
        children: list[tuple[str, Entry | None]] = []
        with self._explained("list", base):
            try:
                with opened_folder(self.folder, parts) as folder:
                    children = _children(folder, base, start)
            except OSError as error:
                if error.errno not in _NO_OBJECT:
                    raise
                self._check_run()
        for name, entry in children:
            if entry is None:
                yield from self._walk((*parts, name), "")
            else:
                yield entry

    @contextmanager
    def _to_write(self, path: str) -> Iterator["_Place"]:
        """The object's place; the folders are made."""
        self._check_run()
        *parts, name = path.split("/")
        with opened_folder(self.folder, parts, make=True) as folder, _hidden(folder, make=True) as hidden:
            yield _Place(folder, hidden, name)

    def _check_run(self) -> None:
        """See that the folder of the run is there.

        Raises:
            UnavailableError: it was moved away, or its disk is not mounted.
        """
        if self._run and not (self.folder / self._run).is_dir():
            raise UnavailableError(
                f"the run's folder {self.folder / self._run} is gone; bring it back, and the run goes on by itself"
            )

    def _insist(self, write: Callable[[], T]) -> T:
        """Write, and where there is somebody to tell, wait until a full disk has room."""
        pause, longest = _PAUSES
        warned = False
        while True:
            try:
                result = write()
            except UnavailableError as error:
                if self.on_wait is None:
                    raise
                if not warned:
                    self.on_wait(f"waiting: {error}")
                warned = True
                time.sleep(pause)
                pause = min(2 * pause, longest)
            else:
                if warned and self.on_wait is not None:
                    self.on_wait(f"{self.url} takes writes again")
                return result

    @contextmanager
    def _explained(self, action: str, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = self.folder / path
            if action == "read" and error.errno in _NO_OBJECT:
                self._check_run()
                why = f": {error.strerror}" if error.errno == errno.ELOOP else ""
                raise NotFoundError(f"there is no {where}{why}") from error
            why = error.strerror or str(error)
            if error.errno in _MAY_PASS:
                mend = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend the disk"
                raise UnavailableError(
                    f"cannot {action} {where}: {why}; {mend}, and the run goes on by itself"
                ) from error
            if error.errno in (errno.EISDIR, errno.EEXIST):
                why = "a folder, or what is no file, stands in its place; move it away"
            raise StoreError(f"cannot {action} {where}: {why}") from error


@dataclass(frozen=True, slots=True)
class _Place:
    """An object's name, with open descriptors of its folder and of the folder's metadata; -1 where there is none."""

    folder: int
    hidden: int
    name: str


@contextmanager
def _hidden(folder: int, *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder's metadata."""
    try:
        hidden = open_child(folder, _HIDDEN, make=make)
    except OSError as error:
        if make or error.errno not in _NO_OBJECT:
            raise
        hidden = -1
    try:
        yield hidden
    finally:
        if hidden >= 0:
            os.close(hidden)


def _children(folder: int, base: str, start: str) -> list[tuple[str, Entry | None]]:
    """The objects of an open folder, and its folders, which have no entry, in the order of their objects' paths."""
    with os.scandir(folder) as scanned:
        names = [
            (child.name, child.is_dir(follow_symlinks=False))
            for child in scanned
            if child.name.startswith(start) and is_name(child.name) and not child.is_symlink()
        ]
    # A folder sorts as what its objects' paths go on with.
    names.sort(key=lambda child: child[0] + "/" * child[1])
    children: list[tuple[str, Entry | None]] = []
    with _hidden(folder) as hidden:
        for name, is_folder in names:
            if is_folder:
                children.append((name, None))
                continue
            with suppress(FileNotFoundError, IsADirectoryError):  # deleted meanwhile, or a pipe
                children.append((name, _entry(_Place(folder, hidden, name), f"{base}{name}")))
    return children


def _entry(place: _Place, path: str) -> Entry:
    while True:
        file_status = status(place.folder, place.name)
        etag = _etag(file_status)
        metadata = _read_metadata(place, etag)
        # Without metadata, either there is none or this version was replaced between the two looks.
        if metadata is not None or _version(place) == etag:
            modified = datetime.fromtimestamp(file_status.st_mtime_ns / 1e9, UTC)
            return Entry(path, file_status.st_size, modified, etag, metadata or {})


def _etag(file_status: os.stat_result) -> str:
    return f"{file_status.st_ino:x}-{file_status.st_mtime_ns:x}-{file_status.st_size:x}"


def _version(place: _Place) -> str | None:
    """The etag of the object that is there; None where there is none."""
    try:
        return _etag(status(place.folder, place.name))
    except OSError as error:
        if error.errno not in _NO_OBJECT:
            raise
        return None


def _read_metadata(place: _Place, etag: str) -> Metadata | None:
    if place.hidden < 0:
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(f"{place.name}.{etag}", flags, dir_fd=place.hidden)
        try:
            content = from_json(os.read(descriptor, _MOST_METADATA))
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # a torn file is what a power failure leaves
        if isinstance(error, OSError) and error.errno not in (*_NO_OBJECT, errno.EAGAIN):
            raise
        return None
    is_metadata = isinstance(content, dict) and all(isinstance(value, str) for value in content.values())
    return content if is_metadata else None


def _drop_metadata(place: _Place, etag: str | None) -> None:
    with suppress(FileNotFoundError):
        os.unlink(f"{place.name}.{etag}", dir_fd=place.hidden)


@contextmanager
def _temporary(place: _Place, fill: Callable[[BinaryIO], object]) -> Iterator[str]:
    """The name of a temporary file of this content beside the metadata, on the disk; it is gone at the end."""
    descriptor, name = _locked_file(place)
    try:
        with os.fdopen(descriptor, "wb") as target:
            fill(target)
            target.flush()
            now = time.time_ns()  # the kernel's own time stamp is coarse: two versions in a tick could share an etag
            os.utime(target.fileno(), ns=(now, now))
            os.fsync(target.fileno())
            yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place.hidden)


def _finish(place: _Place, temporary: str, metadata: Metadata) -> str:
    """Write the metadata of a temporary file's content; the etag that it will have in its place."""
    etag = _etag(status(place.hidden, temporary))
    if metadata:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(open_file(place.hidden, f"{place.name}.{etag}", flags), "w") as target:
            target.write(json.dumps(dict(metadata)))
    return etag


def _put_there(place: _Place, temporary: str) -> None:
    """Give a finished file its name, whole and only where there is none.

    Raises:
        FileExistsError: something has the name.
    """
    try:
        os.link(temporary, place.name, src_dir_fd=place.hidden, dst_dir_fd=place.folder)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return
    with _locked(place):  # all who write here have no links, and so come this way
        try:
            os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(temporary, place.name, src_dir_fd=place.hidden, dst_dir_fd=place.folder)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), place.name)


@contextmanager
def _locked(place: _Place) -> Iterator[None]:
    """Keep other replacers of the folder's objects out; only for as long as a rename takes."""
    descriptor = open_file(place.hidden, _LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # whoever was forked meanwhile holds it too: closing would not do
        os.close(descriptor)


def _locked_file(place: _Place) -> tuple[int, str]:
    """A new temporary file, locked for as long as its writer lives: what nobody has locked was left behind."""
    while True:
        name = f"{uuid4().hex}{_TEMPORARY}"
        descriptor = open_file(place.hidden, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # it was swept before it was locked


def _sweep(folder: int, hidden: int) -> int:
    """Remove what killed writers left in a folder's metadata; how many files that were.

    The metadata is listed first: a version that has some then is being written, is in its place, or never will be.
    """
    metadata = [name for name in os.listdir(hidden) if name != _LOCK and not name.endswith(_TEMPORARY)]
    temporaries = [name for name in os.listdir(hidden) if name.endswith(_TEMPORARY)]
    written = {inode for name in temporaries if (inode := _written(hidden, name))}
    left = []
    for name in metadata:
        owner, _, etag = name.rpartition(".")
        if etag.partition("-")[0] not in written and _version(_Place(folder, hidden, owner)) != etag:
            left.append(name)
    for name in left:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=hidden)
    return len(left) + len(temporaries) - len(written)


def _written(hidden: int, name: str) -> str | None:
    """The inode, as etags have it, of a temporary file that somebody writes; one that nobody writes is removed."""
    with suppress(FileNotFoundError), os.fdopen(open_file(hidden, name, os.O_RDONLY)) as temporary:
        try:
            fcntl.flock(temporary, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"{os.fstat(temporary.fileno()).st_ino:x}"
        os.unlink(name, dir_fd=hidden)  # while it is locked: its writer may be about to
    return None
