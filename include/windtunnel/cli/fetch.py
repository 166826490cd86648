"""Download a run's report and its finalists' models.

Files have the names that they have in the run: `report.html`, `pareto.png`, `pareto.json`, `models.json` and
`trials/<trial>/model.onnx`.
"""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.errors import LedgerError

if TYPE_CHECKING:
    from windtunnel.ledger import Ledger

_REPORT = ("report.html", "pareto.png", "pareto.json", "models.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help="of the run: <store>/<search>/<run>, or its folder; or …/latest")
    parser.add_argument("--to", metavar="FOLDER", type=Path, help="by default <search>-<run>")
    parser.add_argument("--checkpoints", action="store_true", help="the finalists' checkpoints too")


def run(arguments: argparse.Namespace) -> int:
    """Download what there is, and name it; an unfinished run may have a part of it only."""
    from windtunnel.ledger.find import find_run
    from windtunnel.text import printable

    ledger = find_run(arguments.url)
    folder: Path = arguments.to or Path(f"{ledger.search}-{ledger.run}")
    paths = _report(ledger) + _models(ledger, checkpoints=arguments.checkpoints)
    if not paths:
        raise LedgerError(f"URL: {ledger.url} has neither report nor models yet: see `python -m windtunnel status`")
    for path in paths:
        ledger.store.download(ledger.path(path), folder / path)
        print(printable(str(folder / path)))
    missing = [name for name in _REPORT if name not in paths]
    if missing:
        print(f"not there yet: {', '.join(missing)}", file=sys.stderr)
    return 0


def _report(ledger: "Ledger") -> list[str]:
    """Those of the report's files that the run has."""
    from windtunnel.errors import NotFoundError

    present = []
    for name in _REPORT:
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
