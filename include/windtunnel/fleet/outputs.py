"""A fleet's named outputs: folders that scripts write to, whose files are brought to their places when all is done."""

import shutil
from pathlib import Path

from windtunnel.definition import Fleet
from windtunnel.ledger import Ledger
from windtunnel.stores import Store, open_store

FOLDER = "outputs"


class Outputs:
    """The outputs of one process. What a killed one has half written never comes to an output's place.

    Attributes:
        folders: where the process writes, by output.
    """

    def __init__(self, ledger: Ledger, fleet: Fleet, folder: Path) -> None:
        """Use a folder of this process alone."""
        self.folders = {name: folder / name for name in fleet.gather.outputs}
        self._places = places(ledger, fleet)

    def clear(self) -> None:
        """Begin anew: what a try before this one wrote counts no more."""
        for folder in self.folders.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def bring(self) -> list[str]:
        """Put every file where its output is, replacing what is there; a missing place is made. No link is followed.

        Returns:
            Paths within the run of those that came there.
        """
        brought = []
        for name, folder in self.folders.items():
            store, prefix = self._places[name]
            for file in sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()):
                path = file.relative_to(folder).as_posix()
                store.upload(f"{prefix}{path}", file)
                if prefix:
                    brought.append(f"{FOLDER}/{name}/{path}")
        return brought


def places(ledger: Ledger, fleet: Fleet) -> dict[str, tuple[Store, str]]:
    """Where each output's files go, by its name: a store, and what their paths there begin with."""
    return {
        name: (open_store(given), "") if given else (ledger.store, ledger.path(f"{FOLDER}/{name}/"))
        for name, given in fleet.gather.outputs.items()
    }
