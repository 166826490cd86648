"""What a trial's start leaves on this host: folders, whose files are kept where its own process could not do so."""

import shutil
from contextlib import suppress
from pathlib import Path

from windtunnel.definition import definition_of
from windtunnel.ledger import Ledger
from windtunnel_trainer.artifacts import Keeper
from windtunnel_trainer.process_group import ProcessGroup


def folder_of(log: Path, start: int) -> Path:
    """The folder of a trial's start, `Trial.folder`. What else the start needs lies beside it.

    Args:
        log: of the trial, on this host.
        start: its number.
    """
    return _folders(log) / str(start)


def script_folder(folder: Path) -> Path:
    """Where the script of a start runs that has this folder."""
    return folder.with_name(f"{folder.name}-script")


def keep_left(ledger: Ledger, trial: str, folder: Path) -> None:
    """Keep what a start would have kept at its end.

    Args:
        ledger: of the run.
        trial: whose start it was.
        folder: of the start.

    Raises:
        StoreError: the store refuses.
    """
    definition = definition_of(ledger)
    keeper = Keeper(ledger, trial, definition.limits.artifacts, ProcessGroup(), folder)
    keeper.keep_folder()
    if definition.script is not None:
        from windtunnel_trainer.script.work import WorkFolder

        with suppress(FileNotFoundError):  # it was not made before the end
            work = WorkFolder(script_folder(folder))
            keeper.keep_files(work.folder, work.kept(definition.script.keep))


def remove_left(log: Path) -> None:
    """Remove the folders of all starts of a trial."""
    shutil.rmtree(_folders(log), ignore_errors=True)


def _folders(log: Path) -> Path:
    return log.with_suffix(".starts")
