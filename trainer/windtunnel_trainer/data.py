"""Prepared data: a workload's `prepare` writes its splits once a run, and every trial reads them."""

import hashlib
import io
import os
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from windtunnel.errors import NotFoundError, WorkloadError
from windtunnel.host.beneath import open_file, opened_folder
from windtunnel.host.private import private_folder
from windtunnel.ledger import Ledger
from windtunnel.ledger.manifest import MANIFEST, manifest_of
from windtunnel.ledger.spec import is_digest
from windtunnel.stores.base import is_name

Arrays = dict[str, npt.NDArray[Any]]

FOLDER_VARIABLE = "WINDTUNNEL_DATA"
CACHE_VARIABLE = "WINDTUNNEL_CACHE"


class Preparation:
    """What a workload's `prepare(data)` gets.

    Attributes:
        settings: the definition's `data`.
        folder: of the raw data, if one is given: `$WINDTUNNEL_DATA`, else the setting `folder`.
    """

    def __init__(self, ledger: Ledger, settings: Mapping[str, Any]) -> None:
        """Prepare into a run's ledger.

        Args:
            ledger: of the run.
            settings: the definition's `data`.
        """
        self.settings = deepcopy(dict(settings))
        self.folder = raw_data_folder(self.settings)
        self._ledger = ledger
        self._files: dict[str, str] = {}
        self._splits: dict[str, dict[str, Any]] = {}

    def save(self, name: str, **arrays: npt.ArrayLike) -> None:
        """Write a split, such as `train`, `validation` or `test`, as named arrays whose first axis is the example.

        Raises:
            WorkloadError: the arrays differ in length, hold Python objects, or the split was saved before.
        """
        split = {key: np.asarray(value) for key, value in arrays.items()}
        lengths = {key: len(value) if value.ndim else 0 for key, value in split.items()}
        if len(set(lengths.values())) != 1:
            raise WorkloadError(f"split {name!r}: give arrays of one length, not {lengths or 'none'}")
        if any(value.dtype.hasobject for value in split.values()):
            raise WorkloadError(f"split {name!r}: arrays of Python objects cannot be stored")
        if name in self._splits:
            raise WorkloadError(f"split {name!r} was saved already")
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **split)
        content = buffer.getvalue()
        self._ledger.store.put(self._ledger.path(f"data/{name}.npz"), content)
        self._files[f"{name}.npz"] = hashlib.sha256(content).hexdigest()
        self._splits[name] = {
            "examples": next(iter(lengths.values())),
            "digest": _digest(split),
            "arrays": {key: {"shape": list(value.shape), "type": str(value.dtype)} for key, value in split.items()},
        }

    def finish(self, *, needed: bool = True) -> dict[str, Any]:
        """Write the manifest, which says that the data is whole, and return it.

        Args:
            needed: whether there must be any.

        Raises:
            WorkloadError: nothing was saved where something must be.
        """
        if needed and not self._splits:
            raise WorkloadError("prepare(data) saved no split: call data.save('train', …)")
        manifest = manifest_of(self._files, self._splits)
        self._ledger.write_json(MANIFEST, manifest)
        return manifest


def raw_data_folder(settings: Mapping[str, Any]) -> Path | None:
    """Where raw data is, if anybody says so: `$WINDTUNNEL_DATA`, else the setting `folder`.

    Args:
        settings: the definition's `data`.
    """
    given = os.environ.get(FOLDER_VARIABLE) or settings.get("folder")
    return Path(given).expanduser() if given else None


def examples(manifest: Mapping[str, Any]) -> dict[str, float | None]:
    """How many examples each split has."""
    return {f"{name}_examples": float(split["examples"]) for name, split in manifest["splits"].items()}


def is_whole(ledger: Ledger, manifest: Mapping[str, Any]) -> bool:
    """Whether every file of the manifest is there as it was written."""
    try:
        return all(is_name(name) and _digest_of(ledger, name) == digest for name, digest in manifest["files"].items())
    except NotFoundError:
        return False


def load_split(ledger: Ledger, name: str, manifest: Mapping[str, Any] | None = None) -> Arrays:
    """The arrays of a split.

    They are read in place where the store is a local folder, and from a copy on this host, made once, where it is not.

    Args:
        ledger: of the run.
        name: of the split.
        manifest: of the data, where the caller has read it already.

    Raises:
        WorkloadError: the data has no such split.
    """
    manifest = manifest or ledger.manifest()
    if manifest is None or name not in manifest["splits"]:
        has = ", ".join(manifest["splits"]) if manifest else "none: it is not prepared"
        raise WorkloadError(f"the prepared data has no split {name!r}; it has {has}")
    path = ledger.path(f"data/{name}.npz")
    digest = str(manifest["files"].get(f"{name}.npz"))
    with _opened(ledger, path, digest) as file, np.load(file, allow_pickle=False) as content:
        return {key: content[key] for key in content.files}


def _opened(ledger: Ledger, path: str, digest: str) -> io.BufferedReader:
    """The split's file: where the store has it, or this host's copy, which is held against its digest at each use.

    Raises:
        WorkloadError: the manifest's digest is none, or the store holds something else.
    """
    if ledger.store.local_file(path) is not None:
        return ledger.store.open(path)
    if not is_digest(digest):
        raise WorkloadError(
            f"{ledger.url}/{MANIFEST}: files: found {digest[:80]!r} for {path}; allowed: a SHA-256 in hexadecimal "
            "digits. Prepare the data anew, in a new run"
        )
    base = os.environ.get(CACHE_VARIABLE)
    folder = Path(base) if base else private_folder() / "data"
    for _ in range(2):
        with suppress(OSError), opened_folder(folder) as cache:
            file = os.fdopen(open_file(cache, f"{digest}.npz", os.O_RDONLY), "rb")
            if hashlib.file_digest(file, "sha256").hexdigest() == digest:
                file.seek(0)
                return file
            file.close()
        ledger.store.download(path, folder / f"{digest}.npz")
    raise WorkloadError(f"{ledger.url}: {path} is not what was prepared, its digest differs: begin a new run")


def _digest_of(ledger: Ledger, name: str) -> str:
    with ledger.store.open(ledger.path(f"data/{name}")) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        digest.update(f"{key}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
