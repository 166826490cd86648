"""What a run does: which partitions it trains, which it takes over from earlier runs, and in which mini-batches."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from windtunnel.definition import Fleet
from windtunnel.definition.units import Count
from windtunnel.errors import DefinitionError, NotFoundError
from windtunnel.fleet.partitions import Partition, Partitions, identity
from windtunnel.fleet.records import FleetPlan, Outcome, Past, batch_number, fix_plan, fixed_plan, read_plan, results
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.ids import canonical_json
from windtunnel.ledger.reading import unreadable
from windtunnel.stores.base import MOST_AT_ONCE
from windtunnel.validation import Fault, StrictModel, read_model, unknown

_LAST = "last.json"
_BACK = 5  # earlier runs that are looked at for partitions that the last one did not come to


def _texts(value: Any) -> Any:
    """Names as a list of texts: one may stand by itself, and a key that is a number needs no quotes."""
    names = value if isinstance(value, list | tuple) else [value]
    return [str(name) if isinstance(name, int) and not isinstance(name, bool) else name for name in names if name != ""]


class RunChoice(StrictModel):
    """What a person chose for one run, by the trigger form or by `--set`."""

    partitions: Annotated[list[str], BeforeValidator(_texts)] = Field(default_factory=list)
    """Names, keys or patterns of those to train, such as `tenant_1*` or `region=north`; none for all."""
    only_failed: bool = False
    """Whether only those are trained that have failed in the last run, or were never come to."""
    force: bool = False
    """Whether those chosen are trained even where nothing has changed."""
    parallel: Count | None = None
    """Lanes at once, in place of the definition's `limits.parallel`."""


def chosen(fleet: Fleet, choices: Mapping[str, Any]) -> tuple[Fleet, RunChoice]:
    """The fleet as chosen for a run, and the choice.

    Raises:
        DefinitionError: a choice is wrong, or there is no such.
    """
    given = {name: value for name, value in choices.items() if name != "resume"}  # which says what run it is
    allowed = RunChoice.model_fields
    faults = [Fault((name,), unknown(name, allowed, "choice")) for name in given if name not in allowed]
    if faults:
        raise DefinitionError.of(faults)
    choice = read_model(RunChoice, given)
    limits = fleet.limits.model_copy(update={"parallel": choice.parallel or fleet.limits.parallel})
    return fleet.model_copy(update={"limits": limits}), choice


def plan(ledger: Ledger, fleet: Fleet, partitions: Partitions, choice: RunChoice | None = None) -> FleetPlan:
    """Fix what the run does, unless it is fixed.

    A partition whose data, code and settings are those of an earlier run that trained it is taken over. Of the others,
    those that were chosen are trained.

    Raises:
        DefinitionError: a pattern fits no partition.
        LedgerError: a later session has begun.
    """
    last = last_run(ledger)
    fixed = fixed_plan(ledger) or fix_plan(ledger, _made(ledger, fleet, partitions, choice or RunChoice(), last))
    if fixed.last == last:  # no other run has begun since
        _remember(ledger)
    return fixed


def _made(ledger: Ledger, fleet: Fleet, partitions: Partitions, choice: RunChoice, last: str | None) -> FleetPlan:
    basis = basis_of(ledger, fleet)
    wanted = fitting(partitions, choice.partitions)
    taken_over, trained_before = _take_over(ledger, partitions, basis, last, wanted if choice.force else set())
    if choice.only_failed:
        wanted = {place for place in wanted if partitions[place].name not in trained_before}
    to_do = [place for place in range(len(partitions)) if place in wanted and place not in taken_over]
    skipped = [place for place in range(len(partitions)) if place not in wanted and place not in taken_over]
    size = fleet.mini_batch_size
    return FleetPlan(
        basis=basis,
        batches=tuple(tuple(to_do[first : first + size]) for first in range(0, len(to_do), size)),
        taken=tuple(sorted(taken_over)),
        skipped=tuple(skipped),
        last=last,
        session=ledger.own_turn.number,
    )


def _take_over(
    ledger: Ledger, partitions: Partitions, basis: str, last: str | None, again: set[int]
) -> tuple[set[int], set[str]]:
    """Write what has not changed since an earlier run to the ledger, but for what is to be trained again anyway.

    Returns:
        Places of the partitions that are taken over, and names of all that earlier runs trained.
    """
    places = {identity(partition, basis): place for place, partition in enumerate(partitions)}
    taken_over, trained_before, seen = set[int](), set[str](), set[str]()
    with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
        file = Path(folder) / "taken.jsonl"
        with file.open("w", encoding="utf-8") as lines:
            for partition, its_basis, past in _history(ledger, last):
                if partition.name in seen:
                    continue  # a later run knows better
                seen.add(partition.name)
                if past.outcome.state is State.FAILED:
                    continue
                trained_before.add(partition.name)
                place = places.get(identity(partition, its_basis))
                if place is not None and place not in again:
                    line = past.model_copy(update={"partition": place}).model_dump_json(exclude_defaults=True)
                    lines.write(f"{line}\n")
                    taken_over.add(place)
        if taken_over:
            ledger.store.upload(ledger.path(_taken(ledger.own_turn.number)), file)
    return taken_over, trained_before


def _taken(session: int) -> str:
    return f"taken/{session}.jsonl"


def taken(ledger: Ledger, plan: FleetPlan) -> Iterator[Past]:
    """The partitions that the run has taken over, one at a time.

    Raises:
        UnreadableError: a line is none.
    """
    path = ledger.path(_taken(plan.session))
    try:
        with ledger.store.open(path) as file:
            while line := file.readline(MOST_AT_ONCE):
                yield Past.model_validate_json(line)
    except NotFoundError:
        return
    except ValidationError as error:
        raise unreadable(ledger.store, path, "has a line that is no partition") from error


def _remember(ledger: Ledger) -> None:
    """Let the fleet's next run know of this one."""
    content = json.dumps({"run": ledger.run}).encode() + b"\n"
    ledger.store.put(f"{ledger.root.rpartition('/')[0]}/{_LAST}", content)


def basis_of(ledger: Ledger, fleet: Fleet) -> str:
    """Digest of all that decides a model beside its partition."""
    facts = {
        "code": ledger.spec.code,
        "entry": Path(fleet.entry).name,
        "script": fleet.script.identity if fleet.script is not None else None,
        "settings": fleet.settings,
        "arguments": fleet.program_arguments,
        "environment": fleet.environment_variables,
        "type": fleet.mini_batch_type,
        "outputs": fleet.gather.outputs,
        "seed": fleet.seed,
    }
    return hashlib.sha256(canonical_json(facts)).hexdigest()[:16]


def fitting(partitions: Partitions, patterns: Sequence[str]) -> set[int]:
    """Places of the partitions that a person named, by names, keys or patterns; of all where none is given.

    Raises:
        DefinitionError: a pattern fits no partition.
    """
    if not patterns:
        return set(range(len(partitions)))
    names = [_names(partitions, partition) for partition in partitions]
    wanted: set[int] = set()
    faults = []
    for pattern in patterns:
        places = {place for place, known in enumerate(names) if any(fnmatchcase(name, pattern) for name in known)}
        if not places:
            allowed = (known[1] for known in islice(names, 1000))
            faults.append(Fault(("partitions",), f"{pattern}: {unknown(pattern, allowed, 'partition')[:500]}"))
        wanted |= places
    if faults:
        raise DefinitionError.of(faults)
    return wanted


def _names(partitions: Partitions, partition: Partition) -> list[str]:
    """What a person may call a partition: its file, its name, its keys."""
    keys = partitions.keys_of(partition)
    stem = partition.name.removesuffix(".csv")
    return [partition.name, stem, ",".join(keys.values()), *(f"{key}={value}" for key, value in keys.items())]


def last_run(ledger: Ledger) -> str | None:
    """Name of the fleet's last run, if it is another one."""
    try:
        content = json.loads(ledger.store.get(f"{ledger.root.rpartition('/')[0]}/{_LAST}"))
    except (NotFoundError, ValueError):
        return None
    run = content.get("run") if isinstance(content, dict) else None
    return run if isinstance(run, str) and run != ledger.run else None


def _history(ledger: Ledger, last: str | None) -> Iterator[tuple[Partition, str, Past]]:
    """Every partition whose end a run before this one knows, with the basis of its model, the last run's first."""
    for _ in range(_BACK):
        run = Ledger(ledger.store, ledger.search, last) if last is not None else None
        plan, partitions = (read_plan(run), Partitions.read(run)) if run is not None else (None, None)
        if run is None or plan is None or partitions is None:
            return
        plan.check(len(partitions), run)
        places = set(plan.taken)
        for past in taken(run, plan):
            if past.partition in places:
                yield partitions[past.partition], plan.basis, past
        for place, past in trained(run, plan):
            yield partitions[place], plan.basis, past
        last = plan.last


def trained(run: Ledger, plan: FleetPlan) -> Iterator[tuple[int, Past]]:
    """Each partition that the run itself trained, with its place, one at a time, in the order of mini-batches."""
    for result in results(run):
        number = batch_number(result.batch)
        places = plan.batches[number] if number < len(plan.batches) else ()
        rows: dict[int, list[dict[str, object]]] = {}
        for place, row in result.rows:
            rows.setdefault(place, []).append(row)
        outcomes = result.outcomes
        if result.state is State.FAILED:  # a record that cannot be read does not tell how many there were
            outcomes += (Outcome(state=State.FAILED, message=result.message),) * (len(places) - len(outcomes))
        for place, outcome in zip(places, outcomes, strict=False):
            yield place, Past(partition=place, source=run.run, outcome=outcome, rows=tuple(rows.get(place, ())))
