"""What all mini-batches have brought, put together: a table of rows, a leaderboard, a report, a log."""

import csv
import heapq
import io
import json
import math
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from windtunnel.definition import Fleet
from windtunnel.errors import NotFoundError
from windtunnel.fleet import mltable
from windtunnel.fleet.outputs import FOLDER as OUTPUTS
from windtunnel.fleet.outputs import places
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.planning import taken, trained
from windtunnel.fleet.records import BatchResult, FleetPlan, Past, batch_number, results
from windtunnel.ledger import Job, Ledger, State
from windtunnel.ledger.writer import Heart
from windtunnel.objectives.direction import loss
from windtunnel.text import csv_cell, quoted

FOLDER = "gathered"
LEADERBOARD, BATCHES, LOG = f"{FOLDER}/leaderboard.csv", f"{FOLDER}/batches.csv", f"{FOLDER}/log.txt"
_COPIES = 8  # files at once
_LONGEST_LINE = 64 * 1024  # bytes of a line of a log
_DONE = f"{FOLDER}/done.json"
_LAST = ("failed", "skipped", "open")  # states that come after all others
_BATCH_COLUMNS = "batch,partitions,result,items,succeeded,lane,slot,node,process,started,seconds,attempts,error,message"


@dataclass(frozen=True)
class Standing:
    """How a partition stands at the end of a run.

    Attributes:
        place: in the run.
        state: `completed`, `failed`, `taken` (an earlier run's model stands for it), `skipped` or `open`.
        past: how it ended, and where.
    """

    place: int
    state: str
    past: Past | None = None


def standings(ledger: Ledger, plan: FleetPlan) -> Iterator[Standing]:
    """Each partition once, those taken over first, in no order beyond that; few are held at a time."""
    seen: set[int] = set()
    places = set(plan.taken)
    for past in taken(ledger, plan):
        if past.partition in places and past.partition not in seen:
            seen.add(past.partition)
            yield Standing(past.partition, "taken", past)
    for place, past in trained(ledger, plan):
        seen.add(place)
        yield Standing(place, str(past.outcome.state), past)
    for place in plan.skipped:
        yield Standing(place, "skipped")
    for batch in plan.batches:
        yield from (Standing(place, "open") for place in batch if place not in seen)


def gather(ledger: Ledger, fleet: Fleet, plan: FleetPlan, partitions: Partitions) -> dict[str, Any]:
    """Write what belongs to all partitions together, once; the same whatever the order in which they ended.

    Returns:
        What `gathered/done.json` holds: how many rows the table has, and the names of the files.
    """
    there = gathered(ledger)
    if there is not None:
        return there
    plan.check(len(partitions), ledger)
    heart = Heart(ledger.turn)
    files = [LEADERBOARD, BATCHES, LOG]
    with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
        lines = _Lines(Path(folder) / "rows")
        board = _Leaderboard(fleet, partitions)
        fetch: dict[str, str] = {}
        for standing in heart.during(standings(ledger, plan)):
            board.add(standing)
            if standing.state == "taken" and standing.past is not None:
                own = (path for path in standing.past.outcome.files if path.startswith(f"{OUTPUTS}/"))
                fetch |= dict.fromkeys(own, standing.past.source)
            if standing.past is not None and standing.past.rows:
                lines.add(standing.place, list(standing.past.rows))
        for unplaced in _unplaced(heart.during(results(ledger))):
            lines.add(len(partitions), [unplaced])
        count = 0
        if fleet.gather.append_row_to is not None:
            table = Path(folder) / "table.csv"
            count = _write_table(table, lines, partitions)
            name = f"{FOLDER}/{fleet.gather.append_row_to}"
            ledger.store.upload(ledger.path(name), table)
            described = mltable.of_files([fleet.gather.append_row_to], delimited=True)
            ledger.store.put(ledger.path(f"{FOLDER}/{mltable.NAME}"), described)
            files += [name, f"{FOLDER}/{mltable.NAME}"]
        _copy(ledger, fetch, Path(folder), heart)
        files += _describe_outputs(ledger, fleet)
        ledger.store.put(ledger.path(LEADERBOARD), board.to_bytes())
        report = Path(folder) / "batches.csv"
        _write_batches(report, heart.during(results(ledger)), plan, partitions)
        ledger.store.upload(ledger.path(BATCHES), report)
    merge_logs(ledger, heart)
    ledger.store.create(ledger.path(_DONE), json.dumps({"rows": count, "files": sorted(files)}).encode() + b"\n")
    return gathered(ledger) or {}


def gathered(ledger: Ledger) -> dict[str, Any] | None:
    """What `gather` has written: how many rows the table has, and the names of the files; None until it has."""
    return ledger.read_json(_DONE)


class _Lines:
    """Rows by their partition's place, on disk: of thousands of partitions only where each begins is held."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("w+b")
        self._begins: list[tuple[int, int]] = []

    def add(self, place: int, rows: list[dict[str, Any]]) -> None:
        self._begins.append((place, self._file.tell()))
        self._file.write(json.dumps(rows).encode() + b"\n")

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """All rows with their places, in the order of these; of one place in the order in which they came."""
        self._file.flush()
        with Path(self._file.name).open("rb") as file:
            for place, begin in sorted(self._begins):
                file.seek(begin)
                yield from ((place, row) for row in json.loads(file.readline()))


def _unplaced(every: Iterable[BatchResult]) -> Iterator[dict[str, Any]]:
    """Rows of mini-batches of several partitions that came back in another number than there were items."""
    for result in every:
        yield from (row for place, row in result.rows if place < 0)


def _write_table(file: Path, lines: _Lines, partitions: Partitions) -> int:
    """The table: the keys, then what was returned, in the order of the partitions; returns how many rows it has.

    Text that a spreadsheet would take for a formula is quoted.
    """
    returned = dict.fromkeys(column for _, row in lines for column in row if column not in partitions.columns)
    columns = [*partitions.columns, *returned]
    count = 0
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(_LineFeeds(opened))  # which quotes a carriage return, as a reader takes it for a line's end
        table.writerow(map(quoted, columns))
        for place, row in lines:
            values = row | (partitions.keys_of(partitions[place]) if place < len(partitions) else {})
            cells = (values.get(column) for column in columns)
            table.writerow(quoted(cell) if isinstance(cell, str) else cell for cell in cells)
            count += 1
    return count


class _LineFeeds:
    """What a CSV writer writes to, a row at a time: its line ends become plain line feeds."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


class _Leaderboard:
    """Partitions, the best first by the first objective; then those without it, and those that failed."""

    def __init__(self, fleet: Fleet, partitions: Partitions) -> None:
        self._objectives = fleet.objectives
        self._partitions = partitions
        self._rows: list[tuple[float, int, str, str, dict[str, float], str]] = []

    def add(self, standing: Standing) -> None:
        outcome = standing.past.outcome if standing.past is not None else None
        metrics = dict(outcome.metrics) if outcome is not None else {}
        first = next(iter(self._objectives), None)
        worth = loss(metrics[first], self._objectives[first]) if first in metrics and first is not None else math.inf
        source = standing.past.source if standing.past is not None and standing.state == "taken" else ""
        message = outcome.message if outcome is not None else ""
        self._rows.append((worth, standing.place, standing.state, source, metrics, message))

    def to_bytes(self) -> bytes:
        self._rows.sort(key=lambda row: (row[0], _LAST.index(row[2]) if row[2] in _LAST else -1, row[1]))
        named = dict.fromkeys(name for row in sorted(self._rows, key=lambda row: row[1]) for name in row[4])
        metrics = list(dict.fromkeys([*self._objectives, *named]))
        columns = ["rank", "partition", *self._partitions.columns, "state", "source", *metrics, "message"]
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(map(csv_cell, columns))
        for rank, (_, place, state, source, values, message) in enumerate(self._rows, 1):
            partition = self._partitions[place]
            shown = [values.get(name) for name in metrics]
            row = [rank, partition.name, *partition.keys, state, source, *shown, message]
            table.writerow("" if value is None else csv_cell(value) for value in row)
        return text.getvalue().encode()


def _write_batches(file: Path, every: Iterable[BatchResult], plan: FleetPlan, partitions: Partitions) -> None:
    """The report of mini-batches: where and how long each ran, how it ended, and why."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(opened, lineterminator="\n")
        table.writerow(_BATCH_COLUMNS.split(","))
        for result in every:
            number = batch_number(result.batch)
            places = plan.batches[number] if number < len(plan.batches) else ()
            names = ";".join(partitions[place].name for place in places)
            ended = "succeeded" if result.state is State.COMPLETED else "failed"
            where = [result.lane, result.slot, result.host, result.process, result.started, result.seconds]
            row = [result.batch, names, ended, result.items, result.succeeded, *where]
            table.writerow(map(csv_cell, [*row, result.attempts, result.kind, result.message]))


def merge_logs(ledger: Ledger, heart: Heart) -> None:
    """Write one log of all lanes, line by line in the order of time, which begins each line.

    A lane may bring the end of its log after the last result: whoever reports the run, once its lanes have ended, does
    this again.
    """
    folder = ledger.path("logs/")
    paths = [entry.path for entry in ledger.store.list(folder) if _is_lanes(entry.path.removeprefix(folder))]
    with tempfile.TemporaryDirectory(prefix="windtunnel-") as temporary, ExitStack() as stack:
        file = Path(temporary) / "log.txt"
        opened: list[IO[bytes]] = []
        for path in paths:
            try:
                opened.append(stack.enter_context(ledger.store.open(path)))
            except NotFoundError:
                continue
        with file.open("wb") as merged:
            merged.writelines(heart.during(heapq.merge(*map(_lines_of, opened))))
        ledger.store.upload(ledger.path(LOG), file)


def _lines_of(log: IO[bytes]) -> Iterator[bytes]:
    """The lines of a log; of one that never ends, its pieces."""
    return iter(lambda: log.readline(_LONGEST_LINE), b"")


def _is_lanes(name: str) -> bool:
    """Whether it is the log of a whole lane, `lane-1-0.1.log`, rather than of a process of its, `lane-1-0-1.1.log`."""
    return name.endswith(".log") and Job.named_lane(name.partition(".")[0]) is not None


def _copy(ledger: Ledger, sources: dict[str, str], folder: Path, heart: Heart) -> None:
    """Bring files of earlier runs, by path the name of the run, to the same paths of this one, several at once."""

    def copy(path: str, run: str) -> None:
        heart.beat()
        file = folder / "copied" / path
        try:
            ledger.store.download(f"{ledger.root.rpartition('/')[0]}/{run}/{path}", file)
        except NotFoundError:
            return  # a person has deleted it
        ledger.store.upload(ledger.path(path), file)
        file.unlink()

    with ThreadPoolExecutor(_COPIES) as pool:
        list(pool.map(copy, sources.keys(), sources.values()))


def _describe_outputs(ledger: Ledger, fleet: Fleet) -> list[str]:
    """An MLTable in each output, over the files that are there; the paths within the run of those that it has."""
    described = []
    for name, (store, prefix) in places(ledger, fleet).items():
        paths = (entry.path.removeprefix(prefix) for entry in store.list(prefix))
        files = [path for path in paths if path != mltable.NAME]
        if files:
            delimited = all(path.endswith(".csv") for path in files)
            store.put(f"{prefix}{mltable.NAME}", mltable.of_files(files, delimited=delimited))
            described += [f"{OUTPUTS}/{name}/{mltable.NAME}"] if prefix else []
    return described
