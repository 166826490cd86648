"""A fleet's run as text, by the names that `windtunnel.report.text` has for a search's."""

from typing import Any

from windtunnel.report.fleet.payloads import causes
from windtunnel.report.fleet.snapshot import FleetSnapshot
from windtunnel.report.summary import duration
from windtunnel.report.text import aligned
from windtunnel.text import counted, printable

_UNENDED = ("running", "open", "skipped")


def headline(snapshot: FleetSnapshot) -> str:
    """The run in a few lines: where it is, how it was evaluated, how far it is, how fast, and how it ended."""
    values = ", ".join(f"{name} {value:.6g}" for name, value in snapshot.evaluation.items() if value is not None)
    end = ending(snapshot)
    progressed = " · ".join([progress(snapshot), *([end] if end else [])])
    lines = [f"{snapshot.search}  {snapshot.url}", *([f"evaluation: {values}"] if values else []), progressed]
    return "\n".join(printable(line, keep="") for line in lines)


def progress(snapshot: FleetSnapshot) -> str:
    """How far the run is, how fast, and how long the rest will take."""
    parts = [snapshot.message]
    if snapshot.throughput is not None:
        parts.append(f"{snapshot.throughput:.3g} partitions a second")
    if snapshot.left is not None:
        parts.append(f"{duration(snapshot.left)} left")
    return " · ".join(parts)


def ending(snapshot: FleetSnapshot) -> str | None:
    """How the run has ended; None while it goes on."""
    return f"failed: {snapshot.failure}" if snapshot.failure else "finished" if snapshot.over else None


def why_failed(snapshot: FleetSnapshot) -> list[str]:
    """Why partitions failed, a line for each reason, the commonest first."""
    return [
        printable(f"failed: {counted(each['count'], 'time')} {each['message']}", keep="") for each in causes(snapshot)
    ]


def records(snapshot: FleetSnapshot) -> list[dict[str, Any]]:
    """Every partition in its place: its name, `keys` and `metrics` by name, state, seconds, source and message."""
    return [_record(snapshot, place) for place in range(len(snapshot.partitions))]


def table(snapshot: FleetSnapshot, width: int | None = None, rows: int | None = None) -> list[str]:
    """The partitions as aligned lines, the names of the columns first.

    Args:
        snapshot: of the run.
        width: characters that a line may have.
        rows: how many partitions there is room for; of more, the last that have begun are shown.
    """
    places = list(range(len(snapshot.partitions)))
    if rows is not None:
        begun = [place for place in places if snapshot.states[place] not in _UNENDED[1:]] or places
        places = begun[-rows:]
    cells = [["partition", "state", *snapshot.metrics, "time", "why"]]
    for one in (_record(snapshot, place) for place in places):
        values = (one["metrics"].get(name) for name in snapshot.metrics)
        shown = ["" if value is None else f"{value:.6g}" for value in values]
        cells.append([one["partition"], one["state"], *shown, _time(one), printable(one["message"], keep="")])
    return [line if width is None or len(line) <= width else f"{line[: width - 1]}…" for line in aligned(cells)]


def ended_lines(snapshot: FleetSnapshot, printed: set[str]) -> list[str]:
    """A line for each partition that has ended and is not in `printed`, which then has it too."""
    lines = []
    for place, state in enumerate(snapshot.states):
        if state not in _UNENDED and (name := snapshot.partitions[place].name) not in printed:
            printed.add(name)
            one = _record(snapshot, place)
            facts = [f"{metric}={value:.6g}" for metric, value in one["metrics"].items()]
            parts = [name, state, *facts, _time(one), one["message"]]
            lines.append("  ".join(printable(part, keep="") for part in parts if part))
    return lines


def _record(snapshot: FleetSnapshot, place: int) -> dict[str, Any]:
    one = snapshot.partitions[place]
    return {
        "partition": one.name,
        "keys": snapshot.partitions.keys_of(one),
        "state": snapshot.states[place],
        "metrics": snapshot.metrics_of(place),
        "seconds": snapshot.seconds[place],
        "source": snapshot.sources.get(place, ""),
        "message": snapshot.messages.get(place, ""),
    }


def _time(record: dict[str, Any]) -> str:
    return "" if record["seconds"] is None else duration(record["seconds"])
