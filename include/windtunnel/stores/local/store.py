"""A store in a local folder, or on any file system that several hosts mount."""

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import uuid4

from windtunnel.errors import ConflictError, NoObjectError, StoreError, UnavailableError
from windtunnel.host.beneath import open_file, opened_folder
from windtunnel.stores.base import PATH_LIMIT, Entry, Metadata, Store, checked_path, checked_size, is_name
from windtunnel.stores.local.errors import NO_OBJECT, explained
from windtunnel.stores.local.objects import (
    HIDDEN,
    Place,
    children_of,
    drop_metadata,
    entry_of,
    etag_of,
    hidden_folder,
    names_in,
    names_of_obstacles,
    version_of,
)
from windtunnel.stores.local.writing import finish, locked, put_there, sweep_folder, temporary_file

_FULL = 1024 * 1024  # bytes: a disk with less room is full
_PAUSES = (1.0, 15.0)  # seconds between two tries of a write, the first and the longest
_BLOCK = 200  # entries of a listing that are held at once
_COPIED = 1024 * 1024  # bytes that are copied at once
_GONE = (FileNotFoundError, NotADirectoryError)

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
            return file.read(checked_size(f"{self.url}/{path}", file_status.st_size)), etag_of(file_status)

    def read(self, path: str, start: int, size: int) -> bytes:
        """A part of the object."""
        with self.open(path) as file, self._explained("read", path):
            file.seek(start)
            return file.read(size)

    def stat(self, path: str) -> Entry:
        """The object's entry."""
        *parts, name = checked_path(path).split("/")
        with (
            self._explained("read", path),
            opened_folder(self.folder, parts) as folder,
            hidden_folder(folder) as hidden,
        ):
            return entry_of(Place(folder, hidden, name), path)

    def tail(self, path: str, size: int) -> bytes:
        """The last bytes of the object."""
        with self.open(path) as file, self._explained("read", path):
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size)

    def download(self, path: str, file: Path) -> None:
        """Copy the object to a file."""
        part = file.with_name(f".{file.name}.{uuid4().hex}.tmp")
        try:
            with self.open(path) as source:
                file.parent.mkdir(parents=True, exist_ok=True)
                with part.open("xb") as target:
                    shutil.copyfileobj(source, target, _COPIED)
            part.replace(file)
        except OSError as error:
            refused = explained(error, "write", file)
            # What stands in the file's place says nothing of the object.
            raise (StoreError(str(refused)) if isinstance(refused, NoObjectError) else refused) from error
        finally:
            with suppress(OSError):
                part.unlink()

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose path begins with `prefix`, in order."""
        folder, _, start = prefix.rpartition("/")
        parts = tuple(folder.split("/")) if folder else ()
        return self._walk(parts, start) if all(map(is_name, parts)) else iter(())

    def obstacles(self, folder: str) -> Sequence[str]:
        """Paths right in a folder at which a folder stands, a link, or what else is no file."""
        parts = folder.removesuffix("/").split("/")
        with self._explained("list", folder), suppress(FileNotFoundError), opened_folder(self.folder, parts) as opened:
            return [f"{folder}{name}" for name in names_of_obstacles(opened)]
        return ()

    def delete(self, path: str) -> None:
        """Remove the object, or the link that stands in its place."""
        *parts, name = checked_path(path).split("/")
        with (
            self._explained("delete", path),
            suppress(*_GONE),
            opened_folder(self.folder, parts) as folder,
            hidden_folder(folder, make=True) as hidden,
        ):
            place = Place(folder, hidden, name)
            with locked(place):
                old = version_of(place)
                os.unlink(name, dir_fd=folder)
                drop_metadata(place, old)

    def sweep(self, prefix: str) -> int:
        """Remove temporary files of killed processes, and the metadata of versions that are not there."""
        with self._explained("sweep", prefix):
            hidden = [Path(top) for top, _, _ in os.walk(self.folder / prefix) if Path(top).name == HIDDEN]
            return sum(self._swept(folder.parent.relative_to(self.folder).parts) for folder in hidden)

    def _swept(self, parts: tuple[str, ...]) -> int:
        with suppress(*_GONE), opened_folder(self.folder, parts) as folder, hidden_folder(folder, make=True) as hidden:
            return sweep_folder(folder, hidden)
        return 0

    def _create(self, path: str, data: bytes, metadata: Metadata) -> bool:
        return self._insist(lambda: self._create_now(path, data, metadata))

    def _create_now(self, path: str, data: bytes, metadata: Metadata) -> bool:
        with self._explained("create", path), self._to_write(path) as place:
            if version_of(place) is not None:
                return False
            with temporary_file(place, lambda target: target.write(data)) as temporary:
                etag = finish(place, temporary, metadata)
                try:
                    put_there(place, temporary)
                except OSError as error:
                    drop_metadata(place, etag)
                    if isinstance(error, FileExistsError) and version_of(place) is not None:
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
            temporary_file(place, fill) as temporary,
        ):
            etag = finish(place, temporary, metadata)
            with locked(place):
                old = version_of(place)
                if if_match is not None and old != if_match:
                    drop_metadata(place, etag)
                    file = self.folder / path
                    raise ConflictError(f"{file} was written by somebody else meanwhile: read it again")
                os.replace(temporary, place.name, src_dir_fd=place.hidden, dst_dir_fd=place.folder)
                if old is not None:
                    drop_metadata(place, old)
            os.fsync(place.folder)

    def _walk(self, parts: tuple[str, ...], start: str) -> Iterator[Entry]:
        base = "".join(f"{part}/" for part in parts)
        if len(base) > PATH_LIMIT:
            return
        names: list[tuple[str, bool]] | None = None
        for first in itertools.count(0, _BLOCK):
            children: list[tuple[str, Entry | None]] = []
            with self._explained("list", base):
                try:
                    with opened_folder(self.folder, parts) as folder:
                        names = names_in(folder, start) if names is None else names
                        children = children_of(folder, base, names[first : first + _BLOCK])
                except OSError as error:
                    if error.errno not in NO_OBJECT:
                        raise
                    self._check_run()
            for name, entry in children:
                if entry is None:
                    yield from self._walk((*parts, name), "")
                else:
                    yield entry
            if first + _BLOCK >= len(names or ()):
                return

    @contextmanager
    def _to_write(self, path: str) -> Iterator[Place]:
        """The object's place; the folders are made."""
        self._check_run()
        *parts, name = path.split("/")
        with opened_folder(self.folder, parts, make=True) as folder, hidden_folder(folder, make=True) as hidden:
            yield Place(folder, hidden, name)

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
            if action == "read" and error.errno in NO_OBJECT:
                self._check_run()
            raise explained(error, action, self.folder / path) from error
