"""A script's checkpoint: the folder that it saves its state in, with the reports so far, as one object."""

import json
import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from windtunnel.errors import NotFoundError, StoreError
from windtunnel.ledger import Ledger
from windtunnel_trainer.checkpoints import Report

CHECKPOINT = "checkpoint.tar"
_REPORTS = "reports.json"
_FILES = "files"

_Listing = dict[str, tuple[int, int]]


class CheckpointFolder:
    """The folder on this host, and its copy in the ledger, which is replaced whole."""

    def __init__(self, ledger: Ledger, trial: str, folder: Path) -> None:
        """An empty folder.

        Args:
            ledger: of the run.
            trial: whose checkpoint it is.
            folder: that the script is told of; it is made.
        """
        self._ledger, self._trial, self.folder = ledger, trial, folder
        self._saved: _Listing = {}
        folder.mkdir(parents=True)

    def restore(self, ledger: Ledger, trial: str) -> list[Report] | None:
        """Take up a trial's checkpoint; its reports, or None where it has none, or one that cannot be read.

        Args:
            ledger: that it is in.
            trial: this one, or the one that this one continues.
        """
        try:
            with ledger.store.open(ledger.trial_path(trial, CHECKPOINT)) as file, tarfile.open(fileobj=file) as archive:
                reports = json.load(archive.extractfile(_REPORTS) or BytesIO())
                members = [entry for entry in archive.getmembers() if entry.name.startswith(f"{_FILES}/")]
                for entry in members:
                    entry.name = entry.name.removeprefix(f"{_FILES}/")
                archive.extractall(self.folder, members, filter="data")
        except NotFoundError:
            return None
        except (tarfile.TarError, ValueError, KeyError, OSError) as error:
            print(f"the checkpoint of {trial} cannot be read, so training begins anew: {error}", flush=True)  # noqa: T201
            return None
        self._saved = self._listing()
        return [Report(**report) for report in reports] if self._saved else None

    def save(self, reports: Sequence[Report]) -> bool:
        """Bring the folder to the ledger, if it has changed; False where it changes just now.

        Raises:
            StoreError: there is no room for it here, or the store refuses it.
        """
        listing = self._listing()
        if not listing or listing == self._saved:
            return True
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / CHECKPOINT
            try:
                with tarfile.open(file, "w") as archive:
                    content = json.dumps([asdict(report) for report in reports]).encode()
                    entry = tarfile.TarInfo(_REPORTS)
                    entry.size = len(content)
                    archive.addfile(entry, BytesIO(content))
                    archive.add(self.folder, _FILES, filter=self._packed)
            except FileNotFoundError:  # the script tidies up
                return False
            except OSError as error:
                raise StoreError(f"cannot pack the checkpoint of {self._trial}; is there room? {error}") from error
            if self._listing() != listing:
                return False
            self._ledger.store.upload(self._ledger.trial_path(self._trial, CHECKPOINT), file)
        self._saved = listing
        return True

    def _packed(self, entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        """What is packed of a file: a link to one of the folder leads there wherever that is; pipes are left out."""
        target = Path(entry.linkname)
        if entry.issym() and target.is_relative_to(self.folder):
            where = self.folder / entry.name.removeprefix(f"{_FILES}/")
            entry.linkname = os.path.relpath(target, where.parent)
        return entry if entry.isreg() or entry.isdir() or entry.issym() or entry.islnk() else None

    def _listing(self) -> _Listing:
        listing = {}
        for file in self.folder.rglob("*"):
            try:
                facts = file.lstat()
            except OSError:
                continue
            if not file.is_dir():
                listing[str(file.relative_to(self.folder))] = (facts.st_size, facts.st_mtime_ns)
        return listing
