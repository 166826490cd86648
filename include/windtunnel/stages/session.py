"""The beginning of a session: what the run is, who works on it, and how many iterations are asked for."""

import platform
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

import windtunnel
from windtunnel.definition import Definition, recorded_definition
from windtunnel.definition.program import program_of, warnings_of, workload_of
from windtunnel.definition.threads import local_lanes, threads_of
from windtunnel.errors import LedgerError
from windtunnel.host.machine import now
from windtunnel.ledger import Ledger, Spec
from windtunnel.ledger.format import has_other_ids, maker
from windtunnel.ledger.reading import unreadable
from windtunnel.ledger.session import Origin, Session
from windtunnel.ledger.sources import open_source
from windtunnel.ledger.turns import take_turn
from windtunnel.stages.search import Search
from windtunnel.stages.search_end import ends_otherwise
from windtunnel.workload.files import code_digest
from windtunnel.workload.source import upload_source

# A trial of one run must mean the same throughout: these may not change while the run goes on.
_FIXED = (
    "workload",
    "script",
    "data",
    "settings",
    "space",
    "objectives",
    "constraints",
    "objective_at",
    "early_stopping",
    "trial_seed",
)
_MAY_DIFFER = {"space", "objectives", "constraints", "early_stopping"}  # and trials are the same ones all the same
_MOST = 4096  # lanes or threads that a ledger is believed to have had


def begin(
    definition: Definition,
    ledger: Ledger,
    session: str,
    *,
    origin: dict[str, Any] | None = None,
    retry_failed: bool = False,
    written: int | None = None,
    named: Collection[str] = (),
    running: Callable[[str], bool | None] = lambda session: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Search:
    """Begin a run, or go on with one: an unfinished run is finished, a finished one extended.

    What the session runs is made anew of this host's own files, and goes on by its digest, `ledger.digest` of what is
    returned. An earlier session's records are data: they are compared, and say how far the run has come.

    Args:
        definition: as the session is to perform it, its space resolved.
        ledger: of the run.
        session: the DAG run's id; a session that has begun goes on as it began.
        origin: `{"from_run": url, "trials": [ids]}` to train these trials fully instead of searching.
        retry_failed: whether the failed trials get another try.
        written: iterations that the definition's own file has, where another number was chosen for the session.
        named: earlier runs that the definition's own file names, which may be anywhere.
        running: whether another session is still at work; None where only its heartbeat can tell.
        sleep: waits for so many seconds.

    Raises:
        LedgerError: another session works on the run, the run has ids of another format, the definition contradicts
            what the run began with, it is another one than this session began with, or an earlier run is in no store
            that this search may read.
        WorkloadError: the workload cannot be loaded.
    """
    for url in definition.warm_start:
        open_source(url, ledger, "warm_start", named)
    if origin is not None:
        open_source(origin["from_run"], ledger, "from_run")
    begun = ledger.begun()
    if begun is not None and has_other_ids(begun):
        raise LedgerError(
            f"{ledger.url} was made by {maker(begun)}, whose ids are made otherwise, so none of its trials counts: "
            "begin a new run (`make run` with --fresh), or retrain its trials (from_run)"
        )
    number = take_turn(ledger, session, running, sleep)
    sessions = ledger.sessions()
    definition = _with_lanes(definition, begun, sessions, session)
    if begun is not None:
        before = _origin(begun, ledger)
        if origin is not None and origin != before:
            raise LedgerError(f"{ledger.url} began with other trials to train fully: begin a new run")
        origin = before
    if origin is not None:
        definition = _with_horizon_of(open_source(origin["from_run"], ledger, "from_run"), definition)
    workload_of(definition)
    source = program_of(definition)
    spec = Spec(
        definition=definition.model_dump(mode="json"),
        code=code_digest(source),
        archive=upload_source(ledger, definition.workload, source),
        origin=origin,
    )
    record = ledger.begin(
        {
            "definition": spec.definition,
            "code": spec.code,
            "archive": spec.archive,
            "versions": {"windtunnel": windtunnel.__version__, "python": platform.python_version()},
            "started": now(),
            "origin": origin,
            "warnings": warnings_of(definition, source),
        }
    )
    _check_unchanged(record, definition, spec.code, ledger)
    ledger = ledger.write_spec(spec)
    written = written or definition.iterations
    earlier = [other for other in sessions if other.session != session]
    offset, iterations = _task(ledger, earlier, definition, written, origin)
    if retry_failed and origin is None:
        iterations = max(iterations, 1)  # the failed trials are tried again in an iteration
    opened = ledger.open_session(
        Session(
            session=session,
            number=number,
            offset=offset,
            iterations=iterations,
            written=written,
            definition=spec.definition,
            spec=spec.digest,
            retry_failed=retry_failed,
            started=now(),
        )
    )
    if opened.spec != spec.digest:
        raise LedgerError(f"{ledger.url}: the definition changed since {session} began: resume the run")
    return Search.open(ledger, session)


def _origin(begun: dict[str, Any], ledger: Ledger) -> dict[str, Any] | None:
    """The trials that the run began with, to be trained fully; a ledger may hold anything in their place."""
    if begun.get("origin") is None:
        return None
    try:
        return Origin.model_validate(begun["origin"]).model_dump()
    except ValidationError as error:
        raise LedgerError(f"{ledger.url}/search.json: origin: is no run and its trials: begin a new run") from error


def _with_lanes(
    definition: Definition, begun: dict[str, Any] | None, sessions: Iterable[Session], session: str
) -> Definition:
    """The definition with its lanes, on this machine, and its threads fixed: sums of floats depend on the threads.

    So a run keeps the threads that it began with, however many lanes a later session has; and a session that begins
    again, on another machine perhaps, keeps its lanes.
    """
    if definition.launcher == "local":
        opened = {one.session: one.definition for one in sessions}.get(session)
        parallel = definition.limits.parallel or _count(opened, "parallel") or local_lanes(definition)
        threads = _count(begun and begun.get("definition"), "threads") or definition.limits.threads
        definition = _with_limits(definition, {"parallel": parallel, "threads": threads})
    elif definition.launcher != "kubernetes":
        return definition
    return _with_limits(definition, {"threads": threads_of(definition)})


def _with_limits(definition: Definition, limits: Mapping[str, int | None]) -> Definition:
    return definition.model_copy(update={"limits": definition.limits.model_copy(update=limits)})


def _count(definition: Any, limit: str) -> int | None:
    """A limit that a recorded definition has, if it is a number to be believed."""
    limits = definition.get("limits") if isinstance(definition, dict) else None
    count = limits.get(limit) if isinstance(limits, dict) else None
    return count if isinstance(count, int) and 0 < count <= _MOST else None


def _with_horizon_of(run: Ledger, definition: Definition) -> Definition:
    """Full training of another run's trials keeps that run's schedules, or its weights could not be taken up."""
    theirs = recorded_definition(run).epochs
    epochs = definition.epochs.model_copy(update={"horizon": theirs.horizon or theirs.full})
    return definition.model_copy(update={"epochs": epochs})


def _check_unchanged(record: dict[str, Any], definition: Definition, code: str, ledger: Ledger) -> None:
    if not isinstance(record.get("code"), str):
        raise unreadable(ledger.store, ledger.path("search.json"), "does not tell which code the run began with")
    begun = recorded_definition(ledger, record).model_dump(mode="json")
    wanted = definition.model_dump(mode="json")
    for each in (begun, wanted):
        each["script"] = (each.get("script") or {}) | {"folder": None, "keep": None, "verify": None}
    fields = [field for field in _FIXED if begun[field] != wanted[field]]
    fields += ["epochs." + part for part in ("partial", "horizon") if begun["epochs"][part] != wanted["epochs"][part]]
    if begun["epochs"]["horizon"] is None and begun["epochs"]["full"] != wanted["epochs"]["full"]:
        fields.append("epochs.full (set epochs.horizon from the beginning to be free to change it)")
    if record.get("code") != code:
        fields.append(f"source of {definition.program}")
    if fields:
        counts = ", and name this one in warm_start" if set(fields) <= _MAY_DIFFER else ""
        mend = f"put it back to go on, or begin a new run{counts}"
        raise LedgerError(f"{ledger.url} began with another {', '.join(fields)}: {mend}")


def _task(
    ledger: Ledger, earlier: Sequence[Session], definition: Definition, written: int, origin: dict[str, Any] | None
) -> tuple[int, int]:
    """How many iterations are done, and how many the session after the earlier ones may perform."""
    done = ledger.iterations_done()
    if origin is not None:
        return done, 0
    if not earlier or ledger.closed(earlier[-1].session):
        return done, definition.iterations
    last = earlier[-1]
    before = recorded_definition(ledger, {"definition": last.definition})
    unfinished = takewhile(lambda one: not ledger.closed(one.session), reversed(earlier))
    target = max(one.offset + one.iterations for one in unfinished)  # one that began after an early end had none to do
    left = max(0, target + _raised(last, before, definition, written) - done)
    selection = ledger.selection(str(done)) if done else None
    if selection is None or selection.stop is None:
        return done, left
    if not ends_otherwise(before, definition):
        return done, 0
    return done, left if selection.front else max(1, left)  # what was cut off is awaited in an iteration


def _raised(last: Session, before: Definition, definition: Definition, written: int) -> int:
    """How many more iterations are asked for than by the session before; what was only not chosen again is not."""
    chosen = definition.iterations != written
    return max(0, definition.iterations - (before.iterations if chosen else last.written or before.iterations))
