"""What a person may choose for one run, and what the definition becomes by it."""

from collections.abc import Mapping
from typing import Any

from windtunnel.definition.load import OVERRIDES, resolve, with_overrides
from windtunnel.definition.model import Definition
from windtunnel.errors import DefinitionError
from windtunnel.validation import Fault, unknown

_OTHERS = ("resume", "retry_failed", "from_run", "trials")  # what no field of a definition says


def chosen(definition: Definition, choices: Mapping[str, Any]) -> Definition:
    """The definition as chosen for a run, its space written out.

    Raises:
        DefinitionError: a choice is wrong, or contradicts another.
        WorkloadError: the workload cannot be imported.
    """
    names = {choice_name(path): path for path in OVERRIDES}
    allowed = (*names, *_OTHERS)
    faults = [Fault((name,), unknown(name, allowed, "choice")) for name in choices if name not in allowed]
    if faults:
        raise DefinitionError.of(faults)
    return resolve(with_overrides(definition, {path: choices.get(name) for name, path in names.items()}))


def origin(choices: Mapping[str, Any]) -> dict[str, Any] | None:
    """Which trials of which run are to be trained fully, where that is chosen.

    Raises:
        DefinitionError: only one of `from_run` and `trials` is given.
    """
    run, trials = choices.get("from_run"), list(choices.get("trials") or [])
    if bool(run) != bool(trials):
        missing, given = ("trials", "from_run") if run else ("from_run", "trials")
        raise DefinitionError(f"{missing}: is missing; it must be given along with {given}")
    return {"from_run": run, "trials": trials} if run else None


def choice_name(path: str) -> str:
    """The name of a choice: `epochs_full` for `epochs.full`, `parallel` for `limits.parallel`."""
    return path.removeprefix("limits.").replace(".", "_")
