"""To a definition: from a YAML file, a trigger's choices or a run's ledger; and from the workload to its space."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from windtunnel.definition.checks import cross_faults
from windtunnel.definition.document import Document
from windtunnel.definition.model import Definition
from windtunnel.definition.template import with_template
from windtunnel.errors import DefinitionError
from windtunnel.ledger import Ledger
from windtunnel.section import Fault, read_section, shown, unknown
from windtunnel.space import Space
from windtunnel.workload import load_workload

# What may be chosen anew for every run, by path: the DAG's trigger form.
OVERRIDES = ("seed", "iterations", "epochs.partial", "epochs.full", "limits.parallel", "warm_start", "approval")


def load_definition(path: str | Path) -> Definition:
    """Read a search's file; its name is the file's stem unless it gives one.

    The workload must be there but is not imported; see `resolve`.

    Raises:
        DefinitionError: with everything that is wrong, one line each: file and line, field, what was found and what is
            allowed.
    """
    document = Document(Path(path))
    data = {"name": document.file.stem, **document.data}
    definition, faults = _read(with_template(data, document.file.parent))
    faults = document.twice + faults
    if definition is None or faults:
        raise document.error(faults)
    return definition


def definition_from(data: Mapping[str, Any]) -> Definition:
    """A definition from plain values, such as those of a file; `name` must be given.

    Raises:
        DefinitionError: with everything that is wrong.
    """
    definition, faults = _read(with_template(dict(data), Path()))
    if definition is None or faults:
        raise DefinitionError.of(faults)
    return definition


def definition_of(ledger: Ledger) -> Definition:
    """A run's definition, as its latest session has it.

    Raises:
        LedgerError: the run has not begun.
    """
    return Definition.model_validate(ledger.search_record()["definition"])


def with_overrides(definition: Definition, overrides: Mapping[str, Any]) -> Definition:
    """The definition as a trigger's choices change it.

    Args:
        definition: of the search.
        overrides: values by path, `{"seed": 1, "epochs.full": 20}`, or nested, `{"epochs": {"full": 20}}`; only what
            `OVERRIDES` names. None leaves the definition's value.

    Raises:
        DefinitionError: with every choice that is wrong.
    """
    chosen = {path: value for path, value in _flat(overrides) if value is not None}
    faults = [Fault((path,), unknown(path, OVERRIDES, "choice")) for path in chosen if path not in OVERRIDES]
    iterations = chosen.get("iterations")
    if isinstance(iterations, int) and iterations > definition.iterations:
        text = f"found {shown(iterations)}; allowed: at most {definition.iterations}, as many as the definition has"
        faults.append(Fault(("iterations",), text))
    data = definition.model_dump(mode="json")
    for path in OVERRIDES:
        if path in chosen:
            *outer, name = path.split(".")
            section = data[outer[0]] if outer else data
            section[name] = chosen[path]
    changed, more = _read(data)
    faults += more
    if changed is None or faults:
        raise DefinitionError("\n".join(f"{definition.name}, this run's choices: {fault}" for fault in faults))
    return changed


def resolve(definition: Definition) -> Definition:
    """The definition with its space written out: its own, or else the workload's.

    Raises:
        DefinitionError: neither has a space, or it is wrong.
        WorkloadError: the workload cannot be imported.
    """
    space = definition.space
    origin = "space"
    if space is None:
        describe = getattr(load_workload(definition.workload), "space", None)
        if describe is None:
            raise DefinitionError(
                f"{definition.name}: space: is missing; give it in the definition, or as {definition.workload}.space()"
            )
        space, origin = describe(), f"{definition.workload}.space()"
    if not isinstance(space, Mapping):
        raise DefinitionError(f"{definition.name}: {origin}: found {shown(space)}; allowed: parameters by name")
    try:
        written_out = Space.parse(space).describe()
    except DefinitionError as error:
        raise DefinitionError("\n".join(f"{definition.name}: {origin}: {fault}" for fault in error.faults)) from error
    return definition.model_copy(update={"space": written_out})


def _read(data: dict[str, Any]) -> tuple[Definition | None, list[Fault]]:
    """The definition, where its fields are well formed, and all faults."""
    definition, faults = None, []
    try:
        definition = read_section(Definition, data)
    except DefinitionError as error:
        faults = list(error.faults)
    broken = {fault.path[0] for fault in faults if fault.path}
    sound = {name: value for name, value in data.items() if name not in broken}
    return definition, faults + list(cross_faults(sound))


def _flat(overrides: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in overrides.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
