"""A run's trials as text: a table for a person, and a line for each trial that has ended."""

from collections.abc import Sequence
from typing import Any

from windtunnel.ledger import State, Verdict
from windtunnel.ledger.failures import causes, commonest
from windtunnel.report.export import records
from windtunnel.report.notes import notes
from windtunnel.report.snapshot import NOT_RUN, UNENDED, WAITING, Snapshot
from windtunnel.text import counted, printable, shortened

_ENDED = tuple(State)
_NOT_BEGUN = (WAITING, NOT_RUN)
_NARROW = 7  # characters that a column's name may have even if its values are shorter


def headline(snapshot: Snapshot) -> str:
    """The run in a few lines: where it is, what there is to know of it, and how far it is."""
    counts = [f"{snapshot.counts[state]} {state}" for state in (*State, *UNENDED) if snapshot.counts[state]]
    parts = [f"{counted(sum(snapshot.counts.values()), 'trial')}{': ' if counts else ''}{', '.join(counts)}"]
    begun = [stage for stage in snapshot.plans if stage.is_iteration]
    parts += [f"iteration {begun[-1]}"] if begun else []
    parts += [f"front {len(snapshot.front)}"] if snapshot.front else []
    volumes = [each.hypervolume for each in snapshot.selections.values() if each.hypervolume is not None]
    parts += [f"hypervolume {volumes[-1]:.6g}"] if volumes else []
    parts += [finalists(snapshot)] if snapshot.models else []
    parts += [end] if (end := ending(snapshot)) else []
    blocked = [snapshot.blocked] if snapshot.blocked and snapshot.works else []
    lines = [f"{snapshot.search}  {snapshot.url}", *notes(snapshot), *blocked, " · ".join(parts)]
    return "\n".join(printable(line, keep="") for line in lines)


def finalists(snapshot: Snapshot) -> str:
    """How many finalists are verified, and how many nobody asked to verify: `3 of 4 finalists verified`."""
    verdicts = [model.verdict for model in snapshot.models]
    unverified = verdicts.count(Verdict.UNVERIFIED)
    words = f"{verdicts.count(Verdict.VERIFIED)} of {counted(len(verdicts), 'finalist')} verified"
    return f"{words}, {unverified} {Verdict.UNVERIFIED}" if unverified else words


def why_failed(snapshot: Snapshot) -> list[str]:
    """Why trials failed, in a line: the commonest cause with its count; none where none failed."""
    groups = causes(trial.result for trial in snapshot.trials if trial.result)
    if not groups:
        return []
    others = sum(len(units) for _, units in groups[1:])
    return [printable(f"failed: {commonest(groups)}" + (f", and {others} for other causes" if others else ""), keep="")]


def ending(snapshot: Snapshot) -> str | None:
    """How the run has ended; None while it goes on, or where nobody recorded its end."""
    if snapshot.failure is not None:
        return f"failed: {snapshot.failure}"
    if snapshot.refusal is not None:
        return f"finalists {snapshot.refusal}"
    return "finished" if snapshot.closed else None


def table(snapshot: Snapshot, width: int | None = None, rows: int | None = None) -> list[str]:
    """The trials as aligned lines, the names of the columns first.

    Args:
        snapshot: of the run.
        width: characters that a line may have: metrics are left out, names shortened, and then lines cut to fit.
        rows: how many trials there is room for; of more, the last that have begun are shown.
    """
    trials = records(snapshot)
    if rows is not None:
        begun = [trial for trial in trials if trial["state"] not in _NOT_BEGUN] or trials
        trials = begun[-rows:]
    further = [(group, name) for group in ("test", "metrics") for name in _names(trials, group)]
    cells = _cells(snapshot, trials, further)
    if width is not None:
        while further and _width(cells) > width:
            further.pop()
            cells = _cells(snapshot, trials, further)
        if _width(cells) > width:
            cells = _short(cells)
    return [line if width is None or len(line) <= width else f"{line[: width - 1]}…" for line in aligned(cells)]


def ended_lines(snapshot: Snapshot, printed: set[str]) -> list[str]:
    """A line for each trial that has ended and is not among those printed, which it joins."""
    lines = []
    for trial in records(snapshot):
        if trial["state"] in _ENDED and (key := f"{trial['trial']} {trial['verdict']}") not in printed:
            printed.add(key)
            values = trial["params"] | trial["objectives"] | trial["test"]
            facts = [f"{name}={_number(value)}" for name, value in values.items()]
            parts = [trial["trial"], trial["state"], *facts, _time(trial), _why(trial)]
            lines.append("  ".join(printable(part, keep="") for part in parts if part))
    return lines


def _cells(snapshot: Snapshot, trials: Sequence[dict[str, Any]], further: Sequence[tuple[str, str]]) -> list[list[str]]:
    columns = [("params", name) for name in _names(trials, "params")]
    columns += [*(("objectives", name) for name in snapshot.objectives), *further]
    cells = [["trial", "stage", "state", *(name for _, name in columns), "time", "why"]]
    for trial in trials:
        values = [_number(trial[group].get(name)) for group, name in columns]
        cells.append([trial["trial"], trial["stage"], trial["state"], *values, _time(trial), _why(trial)])
    return [[printable(cell, keep="") for cell in row] for row in cells]


def _names(trials: Sequence[dict[str, Any]], group: str) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial[group]))


def _width(cells: Sequence[Sequence[str]]) -> int:
    """Of the lines, the last column of which may be cut."""
    return max(map(len, aligned([row[:-1] for row in cells])))


def _short(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """The columns no wider than their values, and trials by half of their hexadecimal digits."""
    names, *rows = cells
    short = [[f"{row[0][:8]}-{row[0].rpartition('-')[2]}", *row[1:]] for row in rows]
    room = [max(_NARROW, *map(len, column)) for column in zip(*short, [""] * len(names), strict=True)]
    heads = [name if len(name) <= most else f"{name[: most - 1]}…" for name, most in zip(names, room, strict=True)]
    return [heads, *short]


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as lines: columns of words to the left, of numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in cells]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    words = (0, 1, 2, len(row) - 1)
    return [
        text.ljust(width) if place in words else text.rjust(width)
        for place, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _time(trial: dict[str, Any]) -> str:
    return f"{trial['seconds']:.1f} s" if trial["seconds"] else ""


def _why(trial: dict[str, Any]) -> str:
    """What is to be said of a trial: why it failed, in a line, or what distinguishes it."""
    if trial["state"] == State.FAILED or trial["verdict"] == Verdict.FAILED:
        return f"{trial['kind'] or 'verification failed'}: {_in_a_line(trial)}"
    if trial["message"] or trial["kind"]:
        return ": ".join(part for part in (trial["kind"], _in_a_line(trial)) if part)
    if trial["violation"]:
        return "breaks a constraint"
    if trial["verdict"]:
        return str(trial["verdict"])
    return "front" if trial["front"] else ""


def _in_a_line(trial: dict[str, Any]) -> str:
    return shortened(" ".join(trial["message"].split()))
