"""A run as Python has it: its best trial, all trials, its front and its curves."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.definition import recorded_definition
from windtunnel.definition.document import written
from windtunnel.errors import LedgerError
from windtunnel.functions.capture import made_modules
from windtunnel.ledger import Ledger, Trial
from windtunnel.ledger.artifacts import artifacts
from windtunnel.ledger.curves import Point, read_points
from windtunnel.ledger.find import find_run
from windtunnel.ledger.trial import best_trial
from windtunnel.report import RunReader, Snapshot, write_report
from windtunnel.report.export import flat, records
from windtunnel.workload.files import module_file

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


def open_run(url: str) -> "Run":
    """A run by its URL, `<store>/<search>/<run>`, or its folder; finished or not.

    Raises:
        LedgerError: there is no such run.
    """
    run = Run(find_run(url))
    run.refresh()
    return run


class Run:
    """A run as its ledger tells it. What is read is kept; `refresh` reads it anew.

    Attributes:
        url: of the run.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Read nothing yet.

        Args:
            ledger: of the run.
        """
        self.url = ledger.url
        self._ledger = ledger
        self._reader = RunReader(ledger)

    def refresh(self) -> None:
        """Read the run as it is now."""
        self.__dict__["_snapshot"] = self._reader.read()

    @cached_property
    def _snapshot(self) -> Snapshot:
        return self._reader.read()

    @property
    def best(self) -> Trial | None:
        """The trial with the best value of the first objective; None where no trial has come to one."""
        objective, direction = next(iter(self._snapshot.objectives.items()))
        return best_trial(self._snapshot.all_trials.values(), objective, direction)

    @property
    def front(self) -> list[Trial]:
        """The trials that no other beats in all objectives."""
        return [trial for trial in self._snapshot.trials if trial.trial in self._snapshot.front]

    @property
    def trials(self) -> "pandas.DataFrame | list[dict[str, Any]]":
        """All trials, one a row, with columns such as `params.lr` and `objectives.accuracy`; a list without pandas."""
        rows = flat(records(self._snapshot))
        try:
            import pandas
        except ImportError:
            return rows
        return pandas.DataFrame(rows)

    def artifacts(self, trial: str) -> list[str]:
        """Names of the files that a trial saved, in order.

        Args:
            trial: its id.
        """
        return list(artifacts(self._ledger, trial))

    def read(self, trial: str, name: str) -> bytes:
        """The content of a file that a trial saved.

        Raises:
            LedgerError: the trial saved none of that name.
        """
        there = artifacts(self._ledger, trial)
        if name not in there:
            raise LedgerError(f"{trial} saved no {name!r}; it has {', '.join(there) or 'none'}")
        with self._ledger.store.open(there[name].path) as file:
            return file.read()

    def curves(self) -> dict[str, list[Point]]:
        """What each trial reported, by its id: for each epoch the metrics, and `epoch` and `seconds`."""
        return {trial: read_points(self._ledger, trial) for trial in self._snapshot.all_trials}

    def figure(self) -> "Figure":
        """The front as a picture, one panel for every pair of objectives; it takes matplotlib."""
        from windtunnel.report.picture import figure

        return figure(self._snapshot)

    def report(self) -> str:
        """Write the run's `report.html` and `pareto.png`; returns the URL of the first."""
        write_report(self._ledger)
        return f"{self.url}/report.html"

    def save(self, path: str | Path) -> None:
        """Write the search as a definition, which Airflow runs, and beside it the module of a function that had none.

        Args:
            path: of the YAML file.

        Raises:
            WorkloadError: the function's module is not there any more.
        """
        definition, file = recorded_definition(self._ledger), Path(path)
        fields = definition.model_dump(mode="json", exclude_defaults=True) | {"name": file.stem}
        source = module_file(definition.workload)
        if source.is_relative_to(made_modules()):
            file.with_name(source.name).write_bytes(source.read_bytes())
        file.write_text(written(fields), encoding="utf-8")

    def __repr__(self) -> str:
        return f"Run({self.url!r})"
