"""What a trial keeps for people: what it saves by name, and what it leaves in its folder."""

import os
import stat
import tempfile
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.ledger.artifacts import MOST, artifact_path, artifacts, is_artifact_name, model_metadata


class Artifacts:
    """The artifacts of one trial, while it trains."""

    def __init__(self, ledger: Ledger, trial: str, most: int, folder: Path | None = None) -> None:
        """Keep nothing yet.

        Args:
            ledger: of the run.
            trial: its id.
            most: bytes that all of them may have.
            folder: that `folder` is to be; by default a temporary one, for as long as this object lives.
        """
        self._ledger, self._trial, self._most = ledger, trial, most
        self._given = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None  # removed when this object goes

    @cached_property
    def folder(self) -> Path:
        """A folder of the trial's own on this host; made at its first use."""
        if self._given is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="windtunnel-")
            return Path(self._temporary.name)
        self._given.mkdir(parents=True, exist_ok=True)
        return self._given

    def save(self, name: str, content: Any, *, is_model: bool = False) -> None:
        """Keep a file at once, in place of an earlier one of that name.

        Args:
            name: such as `loss.png` or `tables/confusion.csv`.
            content: bytes, the path of a file, or matplotlib's figure, drawn in the format that the name ends with.
            is_model: whether it is the trial's model.

        Raises:
            WorkloadError: the name leads out of the trial's folder or is hidden, it is none of the above, or the
                trial's artifacts would be too many or too big.
        """
        where = f"trial.save{'_model' if is_model else ''}({name!r}, …)"
        if not isinstance(name, str) or not is_artifact_name(name):
            raise WorkloadError(
                f"{where}: give a relative path of at most 200 printable characters, such as plots/loss.png, of which "
                "no part is empty or begins with a dot"
            )
        if hasattr(content, "savefig"):
            content = _drawn(content, name, where)
        path, metadata = artifact_path(self._ledger, self._trial, name), model_metadata() if is_model else {}
        if isinstance(content, bytes | bytearray | memoryview):
            data = bytes(content)
            self._count(name, len(data), where)
            self._ledger.store.put(path, data, metadata)
        elif isinstance(content, str | os.PathLike):
            file = Path(content)
            if not file.is_file():
                raise WorkloadError(f"{where}: there is no file {file}")
            self._count(name, file.stat().st_size, where)
            self._ledger.store.upload(path, file, metadata)
        else:
            raise WorkloadError(
                f"{where}: found {type(content).__name__}; allowed: bytes, the path of a file, or "
                + ("what writes itself by save_model(path) or save(path)" if is_model else "matplotlib's figure")
            )

    def save_model(self, name: str, model: Any) -> None:
        """Keep the trial's model in a format of its own, see `save`.

        Args:
            name: such as `model.ubj`; libraries choose the format by its end.
            model: bytes, the path of a file, or an object that writes itself, by `save_model(path)` or `save(path)`.

        Raises:
            WorkloadError: see `save`.
        """
        model = getattr(model, "booster_", model)  # LightGBM's in scikit-learn's dress
        write = next((getattr(model, each) for each in ("save_model", "save") if hasattr(model, each)), None)
        if write is None or not is_artifact_name(name):
            return self.save(name, model, is_model=True)
        with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
            file = Path(folder) / name.rpartition("/")[2]
            write(str(file))
            return self.save(name, file, is_model=True)

    def keep_folder(self) -> Iterator[str]:
        """Keep what lies in the folder: files, also in folders below it, but nothing hidden and no links.

        Yields:
            For each file that cannot be kept, why.
        """
        if "folder" not in self.__dict__:
            return
        for file in sorted(self.folder.rglob("*")):
            name = file.relative_to(self.folder).as_posix()
            if not stat.S_ISREG(file.lstat().st_mode) or any(part.startswith(".") for part in name.split("/")):
                continue
            try:
                self.save(name, file)
            except WorkloadError as error:
                yield f"{name} is not kept: {error}"

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {name: entry.size for name, entry in artifacts(self._ledger, self._trial).items()}

    def _count(self, name: str, size: int, where: str) -> None:
        sizes = self._sizes | {name: size}
        if len(sizes) > MOST:
            raise WorkloadError(f"{where}: a trial may keep {MOST} files: put some into one archive")
        if (total := sum(sizes.values())) > self._most:
            raise WorkloadError(
                f"{where}: the trial's files would have {total:,} bytes together; limits.artifacts allows "
                f"{self._most:,}: save less, or raise it"
            )
        self._sizes[name] = size


def _drawn(figure: Any, name: str, where: str) -> bytes:
    buffer = BytesIO()
    try:
        figure.savefig(buffer, format=name.rpartition(".")[2].lower())
    except ValueError as error:
        raise WorkloadError(f"{where}: {error}") from error
    return buffer.getvalue()
