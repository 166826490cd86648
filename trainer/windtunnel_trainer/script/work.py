"""A script's working directory: a copy of the script's folder, and what the script has made there."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from windtunnel.workload.bundle import unpack

_GIVEN = "given.json"  # beside the directory: what it began with, for whoever keeps its files after a kill


class WorkFolder:
    """The working directory of one run of a script.

    Attributes:
        folder: the directory.
    """

    def __init__(self, base: Path) -> None:
        """One that is there.

        Args:
            base: that it was made in.

        Raises:
            OSError: it was not made to the end.
        """
        self.folder = base / "work"
        self._given = {name: tuple(facts) for name, facts in json.loads((base / _GIVEN).read_text()).items()}

    @classmethod
    def make(cls, base: Path, archive: bytes) -> Self:
        """A new one.

        Args:
            base: a folder, to make it in.
            archive: of the script's folder.

        Raises:
            WorkloadError: the archive holds what it must not.
        """
        folder = base / "work"
        folder.mkdir(parents=True)
        names = unpack(archive, folder, suffix="")
        (base / _GIVEN).write_text(json.dumps({name: _facts(folder / name) for name in names}))
        return cls(base)

    def is_made(self, file: Path) -> bool:
        """Whether a file in it is the script's doing, rather than one that it began with."""
        return self._given.get(file.relative_to(self.folder).as_posix()) != _facts(file)

    def kept(self, patterns: Iterable[str]) -> list[Path]:
        """The files that patterns name and the script has made; no links, and nothing hidden."""
        files = {file for pattern in patterns for file in self.folder.glob(pattern)}
        return sorted(file for file in files if self._is_own(file))

    def _is_own(self, file: Path) -> bool:
        inside = file.resolve().is_relative_to(self.folder.resolve())
        hidden = any(part.startswith(".") for part in file.relative_to(self.folder).parts)
        return inside and not hidden and not file.is_symlink() and file.is_file() and self.is_made(file)


def _facts(file: Path) -> tuple[int, int]:
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns
