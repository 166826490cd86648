"""The beginning of a session: what the run is, who works on it, and how many iterations are asked for."""

import json
import platform
from collections.abc import Callable, Mapping
from typing import Any

import windtunnel
from windtunnel.definition import Definition, definition_of
from windtunnel.errors import ConflictError, LedgerError, NotFoundError
from windtunnel.ledger import Ledger
from windtunnel.ledger.records import Session
from windtunnel.machine import cores, now
from windtunnel.source import upload_source
from windtunnel.stages.search import Search
from windtunnel.threads import threads_of
from windtunnel.workload import code_digest, load_workload

# A trial of one run must mean the same throughout: these may not change while the run goes on.
_FIXED = (
    "workload",
    "data",
    "settings",
    "space",
    "objectives",
    "constraints",
    "objective_at",
    "early_stopping",
    "trial_seed",
)


def begin(
    definition: Definition,
    ledger: Ledger,
    session: str,
    *,
    origin: dict[str, Any] | None = None,
    retry_failed: bool = False,
    running: Callable[[str], bool] = lambda session: False,
) -> Search:
    """Begin a run, or go on with one: an unfinished run is finished, a finished one extended.

    Args:
        definition: as the session is to perform it, its space resolved.
        ledger: of the run.
        session: the DAG run's id; a session that has begun goes on as it began.
        origin: `{"from_run": url, "trials": [ids]}` to train these trials fully instead of searching.
        retry_failed: whether the failed trials get another try.
        running: whether another session is still at work.

    Raises:
        LedgerError: another session works on the run, or the definition contradicts what the run began with.
        WorkloadError: the workload cannot be loaded.
    """
    _claim(ledger, session, running)
    begun = ledger.read_json("search.json")
    definition = _with_lanes(definition, begun)
    if begun is not None:
        if origin is not None and origin != begun["origin"]:
            raise LedgerError(f"{ledger.url} began with other trials to train fully: begin a new run")
        origin = begun["origin"]
    if origin is not None:
        definition = _with_horizon_of(origin["from_run"], definition)
    load_workload(definition.workload)
    code = code_digest(definition.workload)
    record = ledger.begin(
        {
            "definition": definition.model_dump(mode="json"),
            "code": code,
            "archive": upload_source(ledger, definition.workload),
            "versions": {"windtunnel": windtunnel.__version__, "python": platform.python_version()},
            "started": now(),
            "origin": origin,
        }
    )
    _check_unchanged(record, definition, code, ledger)
    offset, iterations = _task(ledger, session, definition, origin)
    if retry_failed and origin is None:
        iterations = max(iterations, 1)  # the failed trials are tried again in an iteration
    ledger.open_session(
        Session(
            session=session,
            offset=offset,
            iterations=iterations,
            definition=definition.model_dump(mode="json"),
            retry_failed=retry_failed,
            started=now(),
        )
    )
    return Search.open(ledger, session)


def _claim(ledger: Ledger, session: str, running: Callable[[str], bool]) -> None:
    """Become the run's one writer.

    Whether the last writer still lives is asked of the engine, since no clock can tell; the etag settles a race.
    """
    path, claim = ledger.path("writer.json"), json.dumps({"session": session}).encode()
    while not ledger.store.create(path, claim):
        try:
            etag = ledger.store.stat(path).etag
            holder = ledger.writer()
            if holder != session and holder and running(holder):
                raise LedgerError(
                    f"{holder} still works on {ledger.url}: wait for it, stop it, or begin a run of its own"
                )
            ledger.store.put(path, claim, if_match=etag)
            return
        except (NotFoundError, ConflictError):
            continue


def _with_lanes(definition: Definition, begun: dict[str, Any] | None) -> Definition:
    """The definition with its lanes, on this machine, and its threads fixed: sums of floats depend on the threads.

    So a run keeps the threads that it began with, however many lanes a later session has.
    """
    limits: dict[str, int | None] = {}
    if definition.launcher == "local":
        limits["parallel"] = definition.limits.parallel or cores()
        if begun is not None:
            limits["threads"] = begun["definition"]["limits"]["threads"]
        definition = _with_limits(definition, limits)
    elif definition.launcher != "kubernetes":
        return definition
    return _with_limits(definition, {"threads": threads_of(definition)})


def _with_limits(definition: Definition, limits: Mapping[str, int | None]) -> Definition:
    return definition.model_copy(update={"limits": definition.limits.model_copy(update=limits)})


def _with_horizon_of(run: str, definition: Definition) -> Definition:
    """Full training of another run's trials keeps that run's schedules, or its weights could not be taken up."""
    theirs = definition_of(Ledger.open(run)).epochs
    epochs = definition.epochs.model_copy(update={"horizon": theirs.horizon or theirs.full})
    return definition.model_copy(update={"epochs": epochs})


def _check_unchanged(record: dict[str, Any], definition: Definition, code: str, ledger: Ledger) -> None:
    begun = Definition.model_validate(record["definition"]).model_dump(mode="json")
    asked = definition.model_dump(mode="json")
    fields = [field for field in _FIXED if begun[field] != asked[field]]
    fields += ["epochs." + part for part in ("partial", "horizon") if begun["epochs"][part] != asked["epochs"][part]]
    if begun["epochs"]["horizon"] is None and begun["epochs"]["full"] != asked["epochs"]["full"]:
        fields.append("epochs.full (set epochs.horizon from the beginning to be free to change it)")
    if record["code"] != code:
        fields.append(f"source of {definition.workload}")
    if fields:
        changed = ", ".join(fields)
        raise LedgerError(
            f"{ledger.url} began with another {changed}: begin a new run, and name this one in warm_start"
        )


def _task(ledger: Ledger, session: str, definition: Definition, origin: dict[str, Any] | None) -> tuple[int, int]:
    """How many iterations are done, and how many the session may perform."""
    done = ledger.iterations_done()
    earlier = [other for other in ledger.sessions() if other.session != session]
    if origin is not None:
        return done, 0
    if not earlier or ledger.closed(earlier[-1].session):
        return done, definition.iterations
    known = ledger.known(str(done)) if done else None
    target = earlier[-1].offset + earlier[-1].iterations
    return done, 0 if known is not None and known.stop else max(0, target - done)
