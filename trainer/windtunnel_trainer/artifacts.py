"""What a trial keeps for people: what it saves by name, and what it leaves in its folder."""

import os
import stat
import tempfile
from collections.abc import Iterable
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.ledger.artifacts import MOST, artifact_path, artifacts, is_artifact_name, model_metadata
from windtunnel_trainer.process_group import ProcessGroup


class Keeper:
    """What keeps the artifacts of one trial, while it trains or once its process has ended.

    Attributes:
        ledger: of the run.
        id: the trial's.
    """

    def __init__(self, ledger: Ledger, trial: str, most: int, group: ProcessGroup, folder: Path | None = None) -> None:
        """Keep nothing yet.

        Args:
            ledger: of the run.
            trial: its id.
            most: bytes that all artifacts may have.
            group: the trial's processes, the first of which keeps them.
            folder: that `folder` is to be; by default a temporary one, for as long as this object lives.
        """
        self.ledger, self.id = ledger, trial
        self._most, self._group = most, group
        self._given = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None  # removed when this object goes

    @cached_property
    def folder(self) -> Path:
        """A folder of this trial's own, empty at its start. What lies there when the trial ends is kept as artifacts.

        Nothing hidden is kept, and no links. What must outlive the host is saved by `save`, or is a checkpoint.
        """
        if self._given is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="windtunnel-")
            return Path(self._temporary.name)
        self._given.mkdir(parents=True, exist_ok=True)
        return self._given

    def save(self, name: str, content: Any) -> None:
        """Keep a file for people at once: the results page shows pictures, tables and text, and gives out the rest.

        Args:
            name: such as `loss.png` or `tables/confusion.csv`; an earlier file of that name is replaced.
            content: bytes, the path of a file, or matplotlib's figure, drawn in the format that the name ends with.

        Raises:
            WorkloadError: the name leads out of the trial's folder or is hidden, it is none of the above, or the
                trial's artifacts would be too many, or have more bytes than `limits.artifacts`.
        """
        where = f"trial.save({name!r}, …)"
        _check_name(name, where)
        if hasattr(content, "savefig"):
            content = _drawn(content, name, where)
        self._keep(name, content, {}, where, "matplotlib's figure")

    def save_model(self, name: str, model: Any) -> None:
        """Keep the model in a format of its own, where it has no ONNX file: `verify` reads it by `model.open(name)`.

        Args:
            name: such as `model.ubj`, `model.txt` or `model.keras`; libraries choose the format by its end.
            model: what writes itself by `save_model(path)` or `save(path)`, as XGBoost's, LightGBM's, CatBoost's and
                Keras's do; bytes, or the path of a file.

        Raises:
            WorkloadError: as `save`.
        """
        where, allowed = f"trial.save_model({name!r}, …)", "what writes itself by save_model(path) or save(path)"
        _check_name(name, where)
        model = getattr(model, "booster_", model)  # LightGBM's in scikit-learn's dress
        write = next((getattr(model, each) for each in ("save_model", "save") if hasattr(model, each)), None)
        with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
            if write is not None:
                model = Path(folder) / name.rpartition("/")[2]
                write(str(model))
            self._keep(name, model, model_metadata(), where, allowed)

    def keep_folder(self) -> None:
        """Keep what lies in the folder, also in folders below it, and say what cannot be."""
        folder = self._given if self._temporary is None else Path(self._temporary.name)
        if folder is None or not folder.is_dir():
            return
        files = [file for file in sorted(folder.rglob("*")) if stat.S_ISREG(file.lstat().st_mode)]
        seen = [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
        self.keep_files(folder, seen)

    def keep_files(self, folder: Path, files: Iterable[Path]) -> None:
        """Keep files by the names that they have in a folder, and say what cannot be."""
        if not self._group.leads:
            return
        for file in files:
            name = file.relative_to(folder).as_posix()
            try:
                self.save(name, file)
            except WorkloadError as error:
                self._group.say(f"{name} is not kept: {error}")

    def _keep(self, name: str, content: Any, metadata: dict[str, str], where: str, allowed: str) -> None:
        if not self._group.leads:
            return
        path, store = artifact_path(self.ledger, self.id, name), self.ledger.store
        if isinstance(content, bytes | bytearray | memoryview):
            data = bytes(content)
            self._count(name, len(data), where)
            store.put(path, data, metadata)
        elif isinstance(content, str | os.PathLike):
            file = Path(content)
            if not file.is_file():
                raise WorkloadError(f"{where}: there is no file {file}")
            self._count(name, file.stat().st_size, where)
            store.upload(path, file, metadata)
        else:
            raise WorkloadError(
                f"{where}: found {type(content).__name__}; allowed: bytes, the path of a file, or {allowed}"
            )

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {name: entry.size for name, entry in artifacts(self.ledger, self.id).items()}

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


def _check_name(name: str, where: str) -> None:
    if not isinstance(name, str) or not is_artifact_name(name):
        raise WorkloadError(
            f"{where}: give a relative path of at most 200 printable characters, such as plots/loss.png, of which no "
            "part is empty or begins with a dot"
        )


def _drawn(figure: Any, name: str, where: str) -> bytes:
    buffer = BytesIO()
    try:
        figure.savefig(buffer, format=name.rpartition(".")[2].lower())
    except ValueError as error:
        raise WorkloadError(f"{where}: {error}") from error
    return buffer.getvalue()
