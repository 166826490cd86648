"""To a definition: from a YAML file, a trigger's choices or a run's ledger; and from the workload to its space."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from windtunnel.definition.checks import cross_faults
from windtunnel.definition.document import Document
from windtunnel.definition.fleet import KIND, Fleet, fleet_in, fleet_of, is_fleet
from windtunnel.definition.model import Definition, Limits
from windtunnel.definition.script import tells_epochs, with_script
from windtunnel.definition.template import with_template
from windtunnel.errors import DefinitionError, LedgerError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.space import Space
from windtunnel.validation import Fault, read_model, read_reported, shown, unknown
from windtunnel.workload.contract import described_space
from windtunnel.workload.files import source_of

# What may be chosen anew for every run, by path: the DAG's trigger form.
OVERRIDES = ("seed", "iterations", "epochs.partial", "epochs.full", "limits.parallel", "warm_start", "approval")

_EPOCHS = re.compile(rb"\.(epochs\(|target_epochs\b|horizon\b)")  # what a trial tells of how far to train


def load_any(path: str | Path) -> Definition | Fleet:
    """Read a file that is a fleet's where it says `kind: fleet`, else a search's.

    Raises:
        DefinitionError: as `load_fleet` and `load_definition` do.
    """
    document = Document(Path(path))  # read once: a DAG file's parsing pays for it
    kind = document.data.get("kind", KIND)
    if kind != KIND:
        raise document.error([Fault(("kind",), f"found {shown(kind)}; allowed: {KIND}; a search's file has none")])
    return fleet_in(document) if is_fleet(document.data) else _definition_in(document)


def load_definition(path: str | Path) -> Definition:
    """Read a search's file; its name is the file's stem unless it gives one.

    The workload must be there but is not imported; see `resolve`.

    Raises:
        DefinitionError: with everything that is wrong, one line each: file and line, field, what was found and what is
            allowed.
    """
    return _definition_in(Document(Path(path)))


def _definition_in(document: Document) -> Definition:
    fields = {"name": document.file.stem, **document.data}
    folder = document.file.parent
    definition, faults = read_fields(with_epochs(with_script(with_template(fields, folder), folder)))
    faults = document.twice + faults
    if definition is None or faults:
        raise document.error(faults)
    return definition


def with_epochs(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with one epoch for all trials, where they name none and nothing asks for any: none is trained again.

    Args:
        fields: as written, with the script's.
    """
    script, workload = fields.get("script"), fields.get("workload")
    if "epochs" in fields:
        return dict(fields)
    if isinstance(script, Mapping):
        asks = tells_epochs(script, fields)
    else:
        asks = not isinstance(workload, str) or _asks_epochs(workload)
    return dict(fields) if asks else {**fields, "epochs": {"partial": 1.0, "full": 1.0}}


def _asks_epochs(workload: str) -> bool:
    """Whether a workload's source asks the trial how far to train."""
    try:
        return any(_EPOCHS.search(content) for content in source_of(workload).values())
    except WorkloadError:  # which the definition's checks tell
        return True


def read_fields(fields: Mapping[str, Any]) -> tuple[Definition | None, list[Fault]]:
    """A definition from its fields as plain values.

    Returns:
        The definition, where each field by itself is well formed; and everything that is wrong.
    """
    definition, faults, well_formed = read_reported(Definition, fields)
    return definition, faults + list(cross_faults(well_formed))


def definition_of(ledger: Ledger) -> Definition:
    """The definition that a run is performed by, as its digest proves; of a fleet, what launchers ask of it.

    Raises:
        LedgerError: no digest was given, or the ledger holds something else under it.
    """
    if is_fleet(ledger.spec.definition):
        return _as_launched(fleet_of(ledger))
    return _recorded(ledger, ledger.spec.definition)


def recorded_definition(ledger: Ledger, record: Mapping[str, Any] | None = None) -> Definition:
    """A run's definition as its ledger tells it, of the latest session: to be shown or compared, never to act by.

    Fields that another version has written are passed over.

    Args:
        ledger: of the run.
        record: its `search_record`, where that has been read already.

    Raises:
        LedgerError: the run has not begun.
    """
    data = (record or ledger.search_record()).get("definition")
    return _recorded(ledger, data, extra="ignore")  # another version may know more fields


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
    fields = definition.model_dump(mode="json")
    for path in chosen.keys() & set(OVERRIDES):
        section, _, name = path.rpartition(".")
        (fields[section] if section else fields)[name] = chosen[path]
    changed, malformed = read_fields(fields)
    faults += malformed
    if changed is None or faults:
        raise DefinitionError("\n".join(f"{definition.name}, this run's choices: {fault}" for fault in faults))
    return changed


def resolve(definition: Definition) -> Definition:
    """The definition with its space written out, its own or else the workload's, as a run's files have it.

    So whoever checks or tries a search meets what its run meets: lists, say, for the tuples of Python code.

    Raises:
        DefinitionError: neither has a space, or it is wrong.
        WorkloadError: the workload cannot be imported.
    """
    space = definition.space
    origin = "space"
    if space is None:
        space, origin = described_space(definition.workload), f"{definition.workload}.space()"
        if space is None:
            elsewhere = "" if definition.script else f", or as {definition.workload}.space()"
            raise DefinitionError(f"{definition.name}: space: is missing; give it in the definition{elsewhere}")
    if not isinstance(space, Mapping):
        raise DefinitionError(f"{definition.name}: {origin}: found {shown(space)}; allowed: parameters by name")
    try:
        written_out = Space.parse(space).describe()
        resolved = definition.model_copy(update={"space": written_out}).model_dump(mode="json")
        return read_model(Definition, resolved)
    except DefinitionError as error:
        raise DefinitionError("\n".join(f"{definition.name}: {origin}: {fault}" for fault in error.faults)) from error


def _recorded(ledger: Ledger, data: Any, extra: Literal["ignore"] | None = None) -> Definition:
    try:
        return Definition.model_validate(data, extra=extra)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise LedgerError(
            f"{ledger.url} has a definition that this version cannot read: {field}: {first['msg']}"
        ) from error


def _as_launched(fleet: Fleet) -> Definition:
    """Where and how a fleet's lanes and scripts run, in the fields that launchers, and what runs scripts, read."""
    own = fleet.limits
    limits = Limits(
        parallel=own.parallel,
        slots=own.slots,
        pending=own.pending,
        memory=own.memory,
        threads=own.threads,
        trial_retries=fleet.retry_settings.max_retries,
    )
    return Definition.model_construct(
        name=fleet.name,
        workload=fleet.entry,
        limits=limits,
        launcher=fleet.launcher,
        resources=fleet.resources,
        pod_template=fleet.pod_template,
        script=fleet.script,
        verification=fleet.verification,
        objectives=fleet.objectives,
        settings=fleet.settings,
        trial_seed=fleet.seed,
        data={},
    )


def _flat(overrides: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in overrides.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
