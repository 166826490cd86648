"""Data preparation: the data split into partitions, each a file of the run, with its keys and a digest."""

import csv
import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import TextIO

from windtunnel.definition import Fleet
from windtunnel.errors import NotFoundError, WorkloadError
from windtunnel.fleet import mltable
from windtunnel.fleet.partitions import FOLDER, Partition, Partitions
from windtunnel.ledger import Ledger
from windtunnel.ledger.ids import safe_name
from windtunnel.stores import open_store
from windtunnel.text import allow_long_fields
from windtunnel.validation import unknown

_HELD = 64 * 1024 * 1024  # characters of rows that are held before they go to files
_WRITERS = 8  # uploads at once

_Part = tuple[str, tuple[str, ...], Path, int]  # a partition's name and keys, its file here, and its rows


def split(ledger: Ledger, fleet: Fleet) -> Partitions:
    """The run's partitions, each written to the ledger with an MLTable beside them; what is done is not done again.

    Raises:
        WorkloadError: the data is missing, has no such columns, or is no table.
    """
    there = Partitions.read(ledger)
    if there is not None:
        return there
    with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
        written = list(_write(ledger, _parts(fleet, Path(folder))))
    if not written:
        raise WorkloadError(f"data: {fleet.data} holds nothing to split")
    delimited = all(partition.name.endswith(".csv") for partition in written)
    names = (partition.name for partition in written)
    ledger.store.put(ledger.path(f"{FOLDER}/{mltable.NAME}"), mltable.of_files(names, delimited=delimited))
    Partitions(fleet.split.columns, written).write(ledger)
    partitions = Partitions.read(ledger)
    assert partitions is not None
    return partitions


def _parts(fleet: Fleet, folder: Path) -> Iterator[_Part]:
    if fleet.split.by == "files":
        return ((name, (name,), file, 0) for name, file in _files(fleet.data, folder))
    return _tables(fleet, folder)


def _write(ledger: Ledger, parts: Iterable[_Part]) -> Iterator[Partition]:
    """Bring partitions to the ledger, several at once, in their order; a name that another has is refused."""
    names: set[str] = set()
    due: deque[Future[Partition]] = deque()
    pool = ThreadPoolExecutor(_WRITERS)
    try:
        for part in parts:
            if part[0] in names:
                raise WorkloadError(f"data: two partitions have the name {part[0]!r}; give split.name all keys")
            names.add(part[0])
            due.append(pool.submit(_write_one, ledger, *part))
            if len(due) > 4 * _WRITERS:
                yield due.popleft().result()
        yield from (each.result() for each in due)
    finally:
        pool.shutdown(cancel_futures=True)


def _write_one(ledger: Ledger, name: str, keys: tuple[str, ...], file: Path, rows: int) -> Partition:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    partition = Partition(name, keys, digest, rows)
    ledger.store.upload(ledger.path(partition.path), file)
    return partition


def _files(data: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The data's files, each with its path below the data's folder, in order; those of a store are fetched.

    Raises:
        WorkloadError: there are none, or one is a link that leads out of the folder.
    """
    if "://" in data:
        yield from _fetched(data, folder)
        return
    place = Path(data)
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(place)))
        base = place
    elif place.is_file():
        files, base = [place], place.parent
    else:
        files = sorted(file for file in map(Path, glob(data, recursive=True)) if file.is_file())  # noqa: PTH207  (the pattern may be absolute)
        base = Path(os.path.commonpath([file.parent for file in files])) if files else place
    if not files:
        raise WorkloadError(
            f"data: there is no file at {data}: set WINDTUNNEL_DATA, or correct the definition's `data`"
        )
    root = base.resolve()
    for file in files:
        if file != place and not file.resolve().is_relative_to(root):
            raise WorkloadError(f"data: {file} is a link that leads out of {base}: put the file itself there")
        yield file.relative_to(base).as_posix(), file


def _fetched(data: str, folder: Path) -> Iterator[tuple[str, Path]]:
    store, single = open_store(data), None
    entries = [entry.path for entry in store.list() if not entry.path.endswith(f"/{mltable.NAME}")]
    if not entries:
        base, _, single = data.rpartition("/")
        store, entries = open_store(base), [single]
    for path in entries:
        file = folder / "fetched" / path
        try:
            store.download(path, file)
        except NotFoundError as error:
            raise WorkloadError(f"data: there is no file at {data}") from error
        yield path, file


def _is_hidden(path: Path) -> bool:
    return path.name == mltable.NAME or any(part.startswith(".") for part in path.parts)


def _tables(fleet: Fleet, folder: Path) -> Iterator[_Part]:
    """Tables of the rows that belong together, in the order in which the data begins them."""
    files = list(_files(fleet.data, folder))
    header, rows = _rows(files)
    parts = folder / "parts"
    parts.mkdir()
    if fleet.split.rows is not None:
        for number, block in enumerate(_blocks(rows, fleet.split.rows), 1):
            file = parts / f"{number}"
            file.write_text(header.raw + "".join(block), encoding="utf-8", newline="")
            yield f"part_{number:06}.csv", (str(number),), file, len(block)
        return
    columns = fleet.split.keys or []
    for column in columns:
        if column not in header.fields:
            raise WorkloadError(f"split.keys: {fleet.data}: {column}: {unknown(column, header.fields, 'column')}")
        if header.fields.count(column) > 1:
            raise WorkloadError(f"split.keys: {fleet.data}: {column}: the table has several columns of this name")
    places = [header.fields.index(column) for column in columns]
    groups = _Groups(parts, header.raw)
    for row in rows:
        groups.add(tuple(row.fields[place] for place in places), row.raw)
    for keys, file, count in groups.finish():
        yield _name_of(fleet.split.name, dict(zip(columns, keys, strict=True))), keys, file, count


class _Row:
    """A row of a CSV file: its fields, and the text that it is, with a plain line feed at its end."""

    __slots__ = ("fields", "raw")

    def __init__(self, fields: list[str], raw: str) -> None:
        self.fields = fields
        self.raw = raw.rstrip("\r\n") + "\n"


def _rows(files: Iterable[tuple[str, Path]]) -> tuple[_Row, Iterator[_Row]]:
    """The header that all files share, and their rows."""
    files = list(files)
    with _opened(files[0][1]) as first:
        header = next(_parsed(first, files[0][1]), None)
    if header is None:
        raise _empty(files[0][1])
    if "\0" in header.raw:
        raise WorkloadError(f"data: {files[0][1]} is no CSV file, for it holds null characters")

    def rows() -> Iterator[_Row]:
        for _, file in files:
            with _opened(file) as opened:
                parsed = _parsed(opened, file)
                own = next(parsed, None)
                if own is None:
                    raise _empty(file)
                if own.fields != header.fields:
                    raise WorkloadError(f"data: {file} has another header than {files[0][1]}")
                for number, row in enumerate(parsed, 2):
                    if len(row.fields) != len(header.fields):
                        fields, allowed = len(row.fields), len(header.fields)
                        raise WorkloadError(f"data: {file}, row {number}: found {fields} fields; allowed: {allowed}")
                    yield row

    return header, rows()


def _empty(file: Path) -> WorkloadError:
    return WorkloadError(f"data: {file} is empty: a table has a header and rows")


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        yield opened


def _parsed(file: TextIO, path: Path) -> Iterator[_Row]:
    """The rows with their very text, so that a partition's file has what the data has."""
    allow_long_fields()
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in file:
            taken.append(line)
            yield line

    try:
        for fields in csv.reader(lines()):
            raw = "".join(taken)
            taken.clear()
            if fields:
                yield _Row(fields, raw)
    except (csv.Error, UnicodeDecodeError) as error:
        raise WorkloadError(f"data: {path} is no CSV file in UTF-8: {error}") from error


def _blocks(rows: Iterable[_Row], size: int) -> Iterator[list[str]]:
    block: list[str] = []
    for row in rows:
        block.append(row.raw)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


class _Groups:
    """Rows by their keys: held in memory, and in files where they are many."""

    def __init__(self, folder: Path, header: str) -> None:
        self._folder = folder
        self._header = header
        self._counts: dict[tuple[str, ...], int] = {}
        self._held: dict[tuple[str, ...], list[str]] = {}
        self._size = 0

    def add(self, keys: tuple[str, ...], row: str) -> None:
        self._counts[keys] = self._counts.get(keys, 0) + 1
        self._held.setdefault(keys, []).append(row)
        self._size += len(row)
        if self._size > _HELD:
            self._flush()

    def finish(self) -> Iterator[tuple[tuple[str, ...], Path, int]]:
        self._flush()
        for number, (keys, count) in enumerate(self._counts.items()):
            yield keys, self._folder / str(number), count

    def _flush(self) -> None:
        numbers = {keys: number for number, keys in enumerate(self._counts)}
        for keys, rows in self._held.items():
            file = self._folder / str(numbers[keys])
            with file.open("a", encoding="utf-8", newline="") as opened:
                if opened.tell() == 0:
                    opened.write(self._header)
                opened.writelines(rows)
        self._held.clear()
        self._size = 0


def _name_of(pattern: str | None, keys: Mapping[str, str]) -> str:
    """The name of a partition's file."""
    name = pattern if pattern is not None else "-".join(keys.values())
    for column, value in keys.items() if pattern is not None else ():
        name = name.replace(f"{{{column}}}", value)
    stem = name.removesuffix(".csv")
    return f"{safe_name(stem) if stem else safe_name(' ')}.csv"
