"""What a run found and where to look, or why it failed, in a few lines."""

from contextlib import suppress
from pathlib import Path

from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger, Model, Verdict
from windtunnel.report.reader import RunReader
from windtunnel.report.snapshot import UNENDED, Snapshot
from windtunnel.report.text import finalists, why_failed
from windtunnel.text import counted


def results(snapshot: Snapshot, seconds: float) -> list[str]:
    """What the run found.

    Args:
        snapshot: of the run.
        seconds: that this command took.
    """
    counts = snapshot.counts
    iterations = [stage for stage in snapshot.plans if stage.is_iteration]
    unended = sum(counts[state] for state in UNENDED)
    done = sum(counts.values()) - unended
    among = [f"{counts['failed']} failed"] if counts["failed"] else []
    among += [f"{unended} more did not end"] if unended else []
    other = f" ({', '.join(among)})" if among else ""
    usable = [model for model in snapshot.finalists if model.usable]
    models = "" if snapshot.refusal else f", {finalists(snapshot)}"
    lines = [
        f"{snapshot.search} took {duration(seconds)}: {counted(done, 'trial')}{other} in "
        f"{counted(len(iterations), 'iteration')}, {len(snapshot.front)} on the front{models}."
    ]
    if snapshot.ended_early:
        lines.append(f"It ended early: {snapshot.ended_early}.")
    lines += [f"  {line}" for line in why_failed(snapshot)]
    if snapshot.refusal:
        lines.append(f"The finalists were {snapshot.refusal}: nothing was trained fully or published.")
    if usable:
        lines += _best(usable[0], snapshot)
    broken = [model for model in snapshot.models if model.verdict is Verdict.FAILED]
    return lines + [f"Failed: {model.trial.trial}: {model.error}" for model in broken]


def failure(reader: RunReader) -> list[str]:
    """Why the run failed, by its ledger; empty where it does not say, as of a run that has not begun."""
    with suppress(LedgerError):
        snapshot = reader.read()
        if snapshot.failure is not None:
            return [f"The run ended: {snapshot.failure}", *why_failed(snapshot)]
    return []


def where(ledger: Ledger, latest: Path | None) -> list[str]:
    """Where to look."""
    if latest is None:
        return [f"  report         {ledger.url}/report.html"]
    shown = latest.relative_to(Path.cwd()) if latest.is_relative_to(Path.cwd()) else latest
    return [
        f"  report         {shown}/report.html  (picture: pareto.png; data: pareto.json, models.json)",
        f"  run            {ledger.url}",
    ]


def _best(model: Model, snapshot: Snapshot) -> list[str]:
    test = ", ".join(f"{name} {value:.4g}" for name, value in model.test.items() if value is not None)
    values = snapshot.objectives_of(model.trial)
    objectives = ", ".join(f"{name} {values[name]:.4g}" for name in snapshot.objectives if name in values)
    measured = f"{test} ({objectives})" if test else objectives
    verdict = "" if model.verdict is Verdict.VERIFIED else f", {model.verdict}"
    params = ", ".join(
        f"{name} {value:.5g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in model.trial.params.items()
    )
    return [f"  best finalist  {model.trial.trial}: {measured}{verdict}", f"                 {params}"]


def duration(seconds: float) -> str:
    """Some seconds as people say them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{int(seconds) // 60} min {int(seconds) % 60} s"
