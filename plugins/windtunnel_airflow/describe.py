"""The DAG's page: what a search is about, in Markdown."""

from windtunnel.definition import Definition, Fleet
from windtunnel.text import counted


def describe(definition: Definition) -> str:
    """Objectives, space and budget of a search."""
    parts = [
        definition.description,
        "### Objectives\n" + "\n".join(f"- {way} `{name}`" for name, way in definition.objectives.items()),
    ]
    if definition.constraints:
        bounds = (f"- `{name}` {_bound(bound.min, bound.max)}" for name, bound in definition.constraints.items())
        parts.append("### Constraints\n" + "\n".join(bounds))
    space = definition.space or {}
    parts.append("### Space\n" + "\n".join(f"- `{name}`: {value}" for name, value in space.items()))
    parts.append("### Budget\n" + _budget(definition))
    return "\n\n".join(part for part in parts if part)


def describe_fleet(fleet: Fleet) -> str:
    """Data, entry, and what may fail of a fleet."""
    per_lane = counted(fleet.limits.slots, "process", "processes")
    retries = fleet.retry_settings
    parts = [
        fleet.description,
        f"### Fleet\n{fleet.summary[:1].upper()}{fleet.summary[1:]}.",
        "### Objectives\n" + "\n".join(f"- {way} `{name}`" for name, way in fleet.objectives.items())
        if fleet.objectives
        else "",
        f"### Budget\n{fleet.limits.parallel or 'As many as the cores allow'} lanes of {per_lane}, launcher"
        f" `{fleet.launcher}`; mini-batches of {fleet.mini_batch_size}, each with {retries.max_retries} retries of at"
        f" most {retries.timeout:g} s.",
    ]
    return "\n\n".join(part for part in parts if part)


def _bound(low: float | None, high: float | None) -> str:
    return " and ".join(
        text for text in (low is not None and f"at least {low:g}", high is not None and f"at most {high:g}") if text
    )


def _kind(definition: Definition) -> str:
    return "Script" if definition.script is not None else "Workload"


def _budget(definition: Definition) -> str:
    epochs, most = definition.epochs, definition.most_trials
    return (
        f"At most {counted(definition.iterations, 'iteration')} of `{definition.strategy.name}` and "
        f"{counted(most, 'trial')} of {counted(epochs.partial, 'epoch')}; up to "
        f"{counted(definition.finalists.max, 'finalist')} of {counted(epochs.full, 'epoch')}. "
        f"{_kind(definition)} `{definition.program}`, launcher `{definition.launcher}`."
    )
