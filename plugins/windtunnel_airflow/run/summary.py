"""What a run found, where to look, and where the time went, in a few lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from windtunnel.ledger import Approval, Ledger
from windtunnel.report.timing import Span, busy_spans, covered
from windtunnel.report.view import WAITING, ModelView, RunView


def found(view: RunView, seconds: float, approval: Approval | None) -> list[str]:
    """What the run found.

    Args:
        view: of the run.
        seconds: that this command took.
        approval: what a person said of the finalists, where one was asked.
    """
    counts = view.counts
    done = sum(counts.values()) - counts["waiting"] - counts["running"]
    failed = f" ({counts['failed']} failed)" if counts["failed"] else ""
    front = sum(trial.front for trial in view.trials)
    verified = [model for model in view.models if model.verified]
    refused = approval is not None and not approval.approved and all(m.trial.state == WAITING for m in view.models)
    finalists = "" if refused else f", {len(verified)} of {len(view.models)} finalists verified"
    lines = [
        f"{view.search} took {_duration(seconds)}: {done} trials{failed} in {len(view.iterations)} iterations, "
        f"{front} on the front{finalists}."
    ]
    last = view.iterations[-1] if view.iterations else None
    if last and last.stop:
        lines.append(f"It ended early: {last.stop}.")
    if refused:
        lines.append("The finalists were refused: nothing was trained fully or published.")
    if verified:
        lines.append(_best(_by_test(verified), view))
    lines += [f"Not verified: {model.trial.trial}: {model.error}" for model in view.models if model.verified is False]
    return lines


def where(ledger: Ledger, latest: Path | None) -> list[str]:
    """Where to look."""
    if latest is None:
        return [f"  report         {ledger.url}/report.html"]
    shown = latest.relative_to(Path.cwd()) if latest.is_relative_to(Path.cwd()) else latest
    return [
        f"  report         {shown}/report.html  (picture: pareto.png; data: pareto.json, models.json)",
        f"  run            {ledger.url}",
    ]


def times(ledger: Ledger, began: float, ended: float, tasks: Sequence[dict[str, Any]], asked: float) -> list[str]:
    """Where the time went: by stage, and what of it is Airflow's, that is the time in which no job lived.

    Args:
        ledger: of the run.
        began: when the command was given, in seconds since 1970.
        ended: when the DAG run ended.
        tasks: of the DAG run.
        asked: seconds that a person took to answer.
    """
    whole = (began, ended)
    spans = busy_spans(ledger, since=began)
    airflow = max(0.0, ended - began - covered(spans, whole) - asked)
    stages = [f"{name} {_duration(end - begin)}" for name, (begin, end) in _stages(tasks)]
    share = airflow / max(ended - began - asked, 1e-9)
    return [
        f"  time           {', '.join(stages)}",
        f"                 Airflow's part (no job at work): {_duration(airflow)}, {share:.0%}",
    ]


def _stages(tasks: Sequence[dict[str, Any]]) -> list[tuple[str, Span]]:
    """From the first task's begin to the last task's end of each group, in order; tasks outside groups go unnamed."""
    spans: dict[str, Span] = {}
    for task in tasks:
        group, _, inner = task["task"].partition(".")
        if not inner or task["start"] is None or task["end"] is None or task["state"] == "skipped":
            continue
        begin, end = spans.get(group, (task["start"], task["end"]))
        spans[group] = (min(begin, task["start"]), max(end, task["end"]))
    ordered = sorted(spans.items(), key=lambda item: item[1])
    return [(name.replace("_", " "), span) for name, span in ordered]


def _by_test(models: Sequence[ModelView]) -> ModelView:
    """The model with the best test accuracy, or where there is none the first, which is the best in training."""
    return max(models, key=lambda model: model.test.get("test_acc") or 0.0)


def _best(model: ModelView, view: RunView) -> str:
    test = ", ".join(f"{name} {value:.4g}" for name, value in model.test.items() if value is not None)
    values = ", ".join(
        f"{name} {model.trial.objectives[name]:.4g}" for name in view.objectives if name in model.trial.objectives
    )
    return f"  best finalist  {model.trial.trial}: {test} ({values})"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{int(seconds) // 60} min {int(seconds) % 60} s"
