"""Where the files are that a run's partitions have saved."""

from collections.abc import Iterable, Iterator

from windtunnel.fleet.gathering import standings
from windtunnel.fleet.outputs import FOLDER as OUTPUTS
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.records import FleetPlan, unit_of
from windtunnel.ledger import Ledger
from windtunnel.ledger.artifacts import is_artifact_name


class SavedFiles:
    """Paths in the store of partitions' files: of a partition that was taken over, in the run that trained it."""

    def __init__(self, ledger: Ledger) -> None:
        """Of a run; each other run's partitions are read once."""
        self._ledger = ledger
        self._places: dict[str, dict[str, int]] = {}

    def path(self, partition: str, source: str, file: str) -> str | None:
        """The path of a partition's file; None where the run that trained it has no such partition.

        Args:
            partition: its name.
            source: name of the run that trained it.
            file: as its outcome has it.
        """
        if file.startswith(f"{OUTPUTS}/"):
            return self._ledger.path(file)  # those of earlier runs were brought along
        run = Ledger(self._ledger.store, self._ledger.search, source)
        if source not in self._places:
            self._places[source] = {one.name: place for place, one in enumerate(Partitions.read(run) or ())}
        place = self._places[source].get(partition)
        return run.trial_path(unit_of(place), file) if place is not None else None

    def of(self, plan: FleetPlan, partitions: Partitions, chosen: Iterable[int]) -> Iterator[tuple[str, str, str]]:
        """Of each file of the partitions in these places: the partition's name, the file's, and its path."""
        places = set(chosen)
        for standing in standings(self._ledger, plan):
            if standing.place not in places or standing.past is None:
                continue
            name = partitions[standing.place].name
            for file in filter(is_artifact_name, standing.past.outcome.files):
                if (path := self.path(name, standing.past.source, file)) is not None:
                    yield name, file, path
