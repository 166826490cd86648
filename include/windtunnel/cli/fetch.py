"""Download a run's report and its finalists' models; of a fleet what was gathered, or what partitions have saved.

Files have the names that they have in the run: `report.html`, `pareto.png`, `pareto.json`, `models.json` and
`trials/<trial>/model.onnx`; of a fleet `report.html`, `report.txt`, `published.json`, `gathered/…` and `outputs/…`.
With `--partition`, the files that these have saved, their models among them, come to `partitions/<partition>/…`.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.errors import LedgerError, NotFoundError

if TYPE_CHECKING:
    from windtunnel.ledger import Ledger

_REPORT = ("report.html", "pareto.png", "pareto.json", "models.json")
_FLEETS_REPORT = ("report.html", "report.txt", "published.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help="of the run: <store>/<search>/<run>, or its folder; or …/latest")
    parser.add_argument("--to", metavar="FOLDER", type=Path, help="by default <search>-<run>")
    parser.add_argument("--checkpoints", action="store_true", help="of a search: the finalists' checkpoints too")
    parser.add_argument(
        "--partition",
        action="append",
        metavar="NAME",
        help="of a fleet: instead, what these have saved, by names, keys or patterns; '*' for all",
    )


def run(arguments: argparse.Namespace) -> int:
    """Download what there is, and name it; an unfinished run may have a part of it only."""
    from windtunnel.ledger.find import find_run
    from windtunnel.report.fleet import is_fleets
    from windtunnel.text import printable

    ledger = find_run(arguments.url)
    folder: Path = arguments.to or Path(f"{ledger.search}-{ledger.run}")
    if is_fleets(ledger):
        report, files = _of_fleet(ledger, arguments)
    else:
        report, files = _of_search(ledger, arguments)
    if not files:
        raise LedgerError(f"URL: {ledger.url} has none of these files yet: see `python -m windtunnel status`")
    missing = [name for name in report if name not in files]
    for name, path in files.items():
        try:
            ledger.store.download(path, folder / name)
        except NotFoundError:  # such as an output of an earlier run, which the gathering brings along
            missing.append(name)
        else:
            print(printable(str(folder / name)))
    if missing:
        print(printable(f"not there yet: {', '.join(missing)}"), file=sys.stderr)
    return 0


def _of_search(ledger: "Ledger", arguments: argparse.Namespace) -> tuple[Sequence[str], dict[str, str]]:
    """The names of a search's report, and of all that is fetched the paths in the store by name."""
    if arguments.partition:
        raise LedgerError(f"--partition: {ledger.url} is a search's run; allowed: of a fleet's")
    names = _present(ledger, _REPORT) + _models(ledger, checkpoints=arguments.checkpoints)
    return _REPORT, {name: ledger.path(name) for name in names}


def _of_fleet(ledger: "Ledger", arguments: argparse.Namespace) -> tuple[Sequence[str], dict[str, str]]:
    """Likewise of a fleet."""
    if arguments.checkpoints:
        raise LedgerError(f"--checkpoints: {ledger.url} is a fleet's run; allowed: of a search's")
    if arguments.partition:
        return (), _saved(ledger, arguments.partition)
    names = _present(ledger, _FLEETS_REPORT)
    for folder in ("gathered/", "outputs/"):
        names += [entry.path.removeprefix(ledger.path("")) for entry in ledger.store.list(ledger.path(folder))]
    return _FLEETS_REPORT, {name: ledger.path(name) for name in names}


def _saved(ledger: "Ledger", patterns: Sequence[str]) -> dict[str, str]:
    """Paths in the store of the files that partitions have saved, by the names that they get."""
    from windtunnel.fleet.files import SavedFiles
    from windtunnel.fleet.partitions import Partitions
    from windtunnel.fleet.planning import fitting
    from windtunnel.fleet.records import read_plan

    plan, partitions = read_plan(ledger), Partitions.read(ledger)
    if plan is None or partitions is None:
        return {}
    plan.check(len(partitions), ledger)
    places = fitting(partitions, patterns)
    files = SavedFiles(ledger).of(plan, partitions, places)
    return {f"partitions/{partition}/{file}": path for partition, file, path in files}


def _present(ledger: "Ledger", names: Sequence[str]) -> list[str]:
    """Those of these files that the run has."""
    present = []
    for name in names:
        with suppress(NotFoundError):
            ledger.store.stat(ledger.path(name))
            present.append(name)
    return present


def _models(ledger: "Ledger", *, checkpoints: bool) -> list[str]:
    """The finalists' files."""
    from windtunnel.ledger.artifacts import artifacts, is_model
    from windtunnel.ledger.stage import StageKind

    plans = [plan for stage in ledger.stages() if stage.kind is StageKind.FULL and (plan := ledger.plan(stage))]
    trials = dict.fromkeys(request.trial for plan in plans for request in plan.requests)
    wanted = (".onnx", ".onnx.data", *((".pt",) if checkpoints else ()))
    paths = [entry.path for trial in trials for entry in ledger.files(trial) if entry.path.endswith(wanted)]
    paths += [entry.path for trial in trials for entry in artifacts(ledger, trial).values() if is_model(entry)]
    return [path.removeprefix(ledger.path("")) for path in paths]
