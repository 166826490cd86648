"""The pages and the data they ask for. They read; what changes anything goes to Airflow's own REST API."""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, status
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.background import BackgroundTask

from windtunnel.errors import LedgerError, NotFoundError, UnreadableError, WindtunnelError
from windtunnel.ledger import Trial
from windtunnel.ledger.artifacts import FOLDER
from windtunnel.report import Snapshot, payloads
from windtunnel.report.pages import ASSETS, asset, fleet_page, run_page, searches_page
from windtunnel.report.payloads.trial import is_offered
from windtunnel.text import printable
from windtunnel_airflow.page import fleet
from windtunnel_airflow.page.access import ReadableDag, ReadableDags, check, existing_run
from windtunnel_airflow.page.readers import RunCache, compressed, fleet_cache, run_cache
from windtunnel_airflow.page.replies import HEADERS, digested, download, json_reply
from windtunnel_airflow.page.runs import (
    ACTIVE,
    PLACE,
    Run,
    busy_tasks,
    failed_tasks,
    find_run,
    list_runs,
    list_searches,
    search_dag,
    search_standing,
    state_of,
    waits_behind,
)
from windtunnel_airflow.params import carried

_log = logging.getLogger(__name__)
_MOST_RUNS = 200
_RUN_FILES = ("report.html", "pareto.png", "pareto.json", "models.json", "search.json")

Text = Annotated[str, Query(max_length=500)]

app = FastAPI(title="Windtunnel", docs_url=None, redoc_url=None, openapi_url=None)
app.include_router(fleet.router)


@app.middleware("http")
async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Nothing but reading, and every reply with the headers that keep it from being misused."""
    if request.method not in ("GET", "HEAD"):
        return JSONResponse({"detail": "Read only"}, status.HTTP_405_METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


@app.exception_handler(WindtunnelError)
def failed(_request: Request, error: WindtunnelError) -> JSONResponse:
    """A run that has not begun is not found; another failure is a bad object's, or the store's."""
    if isinstance(error, UnreadableError):
        return JSONResponse({"detail": printable(str(error))}, 503)
    if isinstance(error, (LedgerError, NotFoundError)):
        return JSONResponse({"detail": "There is no such thing in this run's ledger, or not yet"}, 404)
    _log.warning("The store cannot be read", exc_info=error)
    fleet_cache.cache_clear()
    run_cache.cache_clear()  # the next request opens the store anew, with the credentials of then
    return JSONResponse({"detail": f"The store cannot be read: {printable(str(error))}"}, 503)


def run_of(dag_id: ReadableDag, run_id: Text, session: SessionDep) -> Run:
    """The run of the request: 404 where there is none."""
    return existing_run(session, dag_id, run_id)


def cache_of(run: "RunDep") -> RunCache[Snapshot]:
    """What is kept of the run of the request."""
    return _cache(run)


def snapshot_of(cache: "CacheDep", run: "RunDep", session: SessionDep) -> Snapshot:
    """The run of the request as its ledger has it, and as far as it works, as Airflow does."""
    return _snapshot(cache, run.dag_id, session)


def trial_of(snapshot: "SnapshotDep", trial: Text) -> Trial:
    """The trial of the request: 404 where the run has none of that id."""
    requested = snapshot.find(trial)
    if requested is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The run has no such trial")
    return requested


RunDep = Annotated[Run, Depends(run_of)]
CacheDep = Annotated[RunCache[Snapshot], Depends(cache_of)]
SnapshotDep = Annotated[Snapshot, Depends(snapshot_of)]
TrialDep = Annotated[Trial, Depends(trial_of)]


@app.get("/")
def searches(_user: GetUserDep) -> HTMLResponse:
    """The page of all searches."""
    return HTMLResponse(searches_page())


@app.get("/run")
def run(dag_id: ReadableDag, session: SessionDep, run_id: Text = "") -> HTMLResponse:
    """The page of one run, which its address names; the run is read while the browser asks for the page's scripts."""
    if search_dag(dag_id).is_fleet:
        return HTMLResponse(fleet_page())
    dag_run = find_run(session, dag_id, run_id)
    ahead = BackgroundTask(_cache(dag_run).read_ahead) if dag_run else None
    return HTMLResponse(run_page(), background=ahead)


@app.get("/static/{name}")
def static(name: str) -> Response:
    """A script or a style; they hold nothing of any run."""
    if name not in ASSETS:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Encoding": "gzip",
        "Vary": "Accept-Encoding",
    }
    return Response(asset(name).compressed, media_type=asset(name).media_type, headers=headers)


@app.get("/data/runs")
def data_runs(
    request: Request, dags: ReadableDags, session: SessionDep, before: Annotated[str, Query(pattern=PLACE)] = ""
) -> Response:
    """The searches that the user may read, their latest runs, and what `before` gives older ones."""
    runs, older = list_runs(session, dags, _MOST_RUNS, before)
    listing = {"searches": list_searches(session, dags), "runs": [each.to_json() for each in runs], "older": older}
    return _reply(request, listing)


@app.get("/data/summary")
def data_summary(request: Request, run: RunDep, cache: CacheDep, session: SessionDep) -> Response:
    """What the list of runs shows of one."""
    snapshot = _begun(cache, run, session)
    if snapshot is None:
        return _reply(request, {"begun": False})
    overview = cache.overview(snapshot)
    summary = {
        "begun": True,
        "counts": snapshot.counts,
        "front": len(snapshot.front),
        "best": {name: best["value"] for name, best in overview["best"].items()},
        "objectives": snapshot.objectives,
        "hypervolume": next((volume for volume in reversed(snapshot.volumes) if volume is not None), None),
        "iterations": overview["begun"],
        "state": run.state,
    }
    return _reply(request, summary)


@app.get("/data/overview")
def data_overview(request: Request, run: RunDep, cache: CacheDep, session: SessionDep) -> Response:
    """The overview, and what Airflow says of the DAG run; of a run that has not begun, that alone."""
    snapshot = _begun(cache, run, session)
    airflow = run.to_json() | {
        "tasks": busy_tasks(session, run),
        "failed": failed_tasks(session, run),
        "behind": waits_behind(session, run),
        **search_standing(session, run.dag_id),
        "most_iterations": search_dag(run.dag_id).most_iterations,
        "choices": carried(run.conf),
    }
    return _reply(request, {"airflow": airflow, "overview": cache.overview(snapshot) if snapshot else None})


@app.get("/data/trials")
def data_trials(request: Request, cache: CacheDep, snapshot: SnapshotDep, since: Text = "") -> Response:
    """All trials, or those that changed since."""
    if since:
        return _reply(request, payloads.trials(snapshot, since))
    reply = _kept_reply(request, cache, "trials", snapshot.version, lambda: payloads.trials(snapshot))
    reply.background = BackgroundTask(cache.think_ahead, snapshot)
    return reply


@app.get("/data/trial")
def data_trial(request: Request, cache: CacheDep, snapshot: SnapshotDep, trial: TrialDep) -> Response:
    """One trial."""
    return _reply(request, payloads.trial(snapshot, cache.ledger, trial))


@app.get("/data/artifacts")
def data_artifacts(
    request: Request,
    cache: CacheDep,
    snapshot: SnapshotDep,
    trial: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006  (FastAPI copies it)
) -> Response:
    """What the chosen trials have saved."""
    there = [each for each in trial if snapshot.find(each) is not None]
    return _reply(request, {each: payloads.saved_files(cache.ledger, each) for each in there})


@app.get("/data/curves")
def data_curves(
    request: Request,
    cache: CacheDep,
    snapshot: SnapshotDep,
    trial: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006  (FastAPI copies it)
    start: Annotated[int, Query(ge=0)] = 0,
    most: Annotated[int, Query(ge=1, le=500)] = 200,
) -> Response:
    """Curves of the chosen trials, or a page of all."""
    return _reply(request, payloads.curves(snapshot, cache.curves, trial, start, most))


@app.get("/data/importance")
def data_importance(request: Request, cache: CacheDep, snapshot: SnapshotDep) -> Response:
    """Which parameters count."""
    return json_reply(request, cache.importance(snapshot), snapshot.version)


@app.get("/data/lanes")
def data_lanes(request: Request, cache: CacheDep, snapshot: SnapshotDep) -> Response:
    """When each lane was busy."""
    return _kept_reply(request, cache, "lanes", snapshot.version, lambda: payloads.lanes(snapshot))


@app.get("/data/compare")
def data_compare(
    request: Request,
    user: GetUserDep,
    cache: CacheDep,
    snapshot: SnapshotDep,
    other_dag: Text,
    other_run: Text,
    session: SessionDep,
) -> Response:
    """This run beside another, whose DAG's runs the user must be allowed to read as well."""
    other = _snapshot(_cache(existing_run(session, check(other_dag, user), other_run)), other_dag, session)
    version = f"{snapshot.version}.{other.version}"
    return _kept_reply(request, cache, f"compare {other.url}", version, lambda: payloads.compare(snapshot, other))


@app.get("/file")
def file(cache: CacheDep, snapshot: SnapshotDep, name: Text, trial: Text = "") -> Response:
    """A file of the run, or of one of its trials: only such as a page offers."""
    if not trial and name in _RUN_FILES:
        return download(cache.ledger.store, cache.ledger.path(name), name)
    if trial and is_offered(name):
        unit = trial_of(snapshot, trial).trial
        shown = name.removeprefix(f"{FOLDER}/")
        return download(cache.ledger.store, cache.ledger.trial_path(unit, name), f"{unit}-{shown}")
    raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such file")


def _cache(run: Run) -> RunCache[Snapshot]:
    store = search_dag(run.dag_id).store
    if store is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such search")
    return run_cache(store, run.dag_id, run.ledger)


def _snapshot(cache: RunCache[Snapshot], dag_id: str, session: Any) -> Snapshot:
    """The run by its ledger; but whether it works, Airflow knows better: a DAG run may end without a word."""
    snapshot = cache.snapshot()
    state = state_of(session, dag_id, snapshot.session.session) if snapshot.session else None
    return cache.as_it_ended(snapshot, None if state in ACTIVE else state) if state else snapshot


def _begun(cache: RunCache[Snapshot], run: Run, session: Any) -> Snapshot | None:
    try:
        return _snapshot(cache, run.dag_id, session)
    except UnreadableError:
        raise
    except LedgerError:
        return None


def _reply(request: Request, payload: Any) -> Response:
    """A payload that is made anew for each request."""
    return digested(request, compressed(payload))


def _kept_reply(
    request: Request, cache: RunCache[Snapshot], name: str, version: str, make: Callable[[], Any]
) -> Response:
    """A payload that is made once for each version of the run."""
    return json_reply(request, cache.made(name, version, lambda: compressed(make())), version)
