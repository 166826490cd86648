"""The pages and the data they ask for. They read; what changes anything goes to Airflow's own REST API."""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, status
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.background import BackgroundTask

from windtunnel.errors import LedgerError, NotFoundError, WindtunnelError
from windtunnel.report import RunView, documents
from windtunnel.report.documents.trial import is_artifact
from windtunnel.report.pages import ASSETS, asset, run_page, searches_page
from windtunnel.report.view import TrialView
from windtunnel_airflow.page.access import ReadableDag, ReadableDags, check
from windtunnel_airflow.page.readers import RunCache, RunCaches, compressed
from windtunnel_airflow.page.replies import HEADERS, download, json_reply
from windtunnel_airflow.page.runs import (
    PLACE,
    Run,
    busy_tasks,
    find_run,
    list_runs,
    list_searches,
    most_iterations,
    store_of,
)
from windtunnel_airflow.params import carried

_log = logging.getLogger(__name__)
_MOST_RUNS = 200
_RUN_FILES = ("report.html", "pareto.png", "pareto.json", "models.json", "search.json")

Text = Annotated[str, Query(max_length=500)]

app = FastAPI(title="Windtunnel", docs_url=None, redoc_url=None, openapi_url=None)
caches = RunCaches()


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
    """A run that has not begun is not found; another failure is the store's."""
    if isinstance(error, (LedgerError, NotFoundError)):
        return JSONResponse({"detail": "There is no such thing in this run's ledger, or not yet"}, 404)
    _log.warning("The store cannot be read", exc_info=error)
    caches.clear()  # the next try opens it anew, with the credentials of then
    return JSONResponse({"detail": "The store cannot be read; the API server's log says why"}, 503)


def run_of(dag_id: ReadableDag, run_id: Text, session: SessionDep) -> Run:
    """The run of the request: 404 where there is none."""
    return _found(session, dag_id, run_id)


def cache_of(run: "RunDep") -> RunCache:
    """What is kept of the run of the request."""
    return _cache(run)


def view_of(cache: "CacheDep") -> RunView:
    """The run of the request as its ledger has it."""
    return cache.view()


def trial_of(view: "ViewDep", trial: Text) -> TrialView:
    """The trial of the request: 404 where the run has none of that id."""
    found = view.find(trial)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The run has no such trial")
    return found


RunDep = Annotated[Run, Depends(run_of)]
CacheDep = Annotated[RunCache, Depends(cache_of)]
ViewDep = Annotated[RunView, Depends(view_of)]
TrialDep = Annotated[TrialView, Depends(trial_of)]


@app.get("/")
def searches(_user: GetUserDep) -> HTMLResponse:
    """The page of all searches."""
    return HTMLResponse(searches_page())


@app.get("/run")
def run(dag_id: ReadableDag, session: SessionDep, run_id: Text = "") -> HTMLResponse:
    """The page of one run, which its address names; the run is read while the browser asks for the page's scripts."""
    found = find_run(session, dag_id, run_id)
    ahead = BackgroundTask(_cache(found).read_ahead) if found else None
    return HTMLResponse(run_page(), background=ahead)


@app.get("/static/{name}")
def static(name: str) -> Response:
    """A script or a style; they hold nothing of any run."""
    if name not in ASSETS:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    found = asset(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Encoding": "gzip",
        "Vary": "Accept-Encoding",
    }
    return Response(found.compressed, media_type=found.media_type, headers=headers)


@app.get("/data/runs")
def data_runs(
    request: Request, dags: ReadableDags, session: SessionDep, before: Annotated[str, Query(pattern=PLACE)] = ""
) -> Response:
    """The searches that the user may read, their latest runs, and what `before` gives older ones."""
    runs, older = list_runs(session, dags, _MOST_RUNS, before)
    found = {"searches": list_searches(session, dags), "runs": [each.to_json() for each in runs], "older": older}
    return _reply(request, found)


@app.get("/data/summary")
def data_summary(request: Request, run: RunDep, cache: CacheDep) -> Response:
    """What the list of runs shows of one."""
    view = _begun(cache)
    if view is None:
        return _reply(request, {"begun": False})
    told = cache.overview(view)
    best = {name: each["value"] for name, each in told["best"].items()}
    volume = next((value for value in reversed(view.volumes) if value is not None), None)
    front = sum(trial.front for trial in view.trials)
    found = {"begun": True, "counts": view.counts, "front": front, "best": best, "objectives": view.objectives}
    return _reply(request, found | {"hypervolume": volume, "iterations": told["begun"], "state": run.state})


@app.get("/data/overview")
def data_overview(request: Request, run: RunDep, cache: CacheDep, session: SessionDep) -> Response:
    """The overview, and what Airflow says of the DAG run; of a run that has not begun, that alone."""
    view = _begun(cache)
    airflow = run.to_json() | {"tasks": busy_tasks(session, run), "most_iterations": most_iterations(run.dag_id)}
    airflow["choices"] = carried(run.conf)
    found = cache.overview(view) if view else None
    return _reply(request, {"airflow": airflow, "overview": found})


@app.get("/data/trials")
def data_trials(request: Request, cache: CacheDep, view: ViewDep, since: Text = "") -> Response:
    """All trials, or those that changed since."""
    if not since:
        made = cache.document("trials", view.version, lambda: documents.trials(view))
        reply = json_reply(request, made, view.version)
        reply.background = BackgroundTask(cache.think_ahead, view)
        return reply
    return _reply(request, documents.trials(view, since))


@app.get("/data/trial")
def data_trial(request: Request, cache: CacheDep, view: ViewDep, trial: TrialDep) -> Response:
    """One trial."""
    return _reply(request, documents.trial(view, cache.ledger, trial))


@app.get("/data/curves")
def data_curves(
    request: Request,
    cache: CacheDep,
    view: ViewDep,
    trial: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006  (FastAPI copies it)
    start: Annotated[int, Query(ge=0)] = 0,
    most: Annotated[int, Query(ge=1, le=500)] = 200,
) -> Response:
    """Curves of the chosen trials, or a page of all."""
    return _reply(request, documents.curves(view, cache.curves, trial, start, most))


@app.get("/data/importance")
def data_importance(request: Request, cache: CacheDep, view: ViewDep) -> Response:
    """Which parameters count."""
    return json_reply(request, cache.importance(view), view.version)


@app.get("/data/lanes")
def data_lanes(request: Request, cache: CacheDep, view: ViewDep) -> Response:
    """When each lane was busy."""
    made = cache.document("lanes", view.version, lambda: documents.lanes(view))
    return json_reply(request, made, view.version)


@app.get("/data/compare")
def data_compare(
    request: Request,
    user: GetUserDep,
    cache: CacheDep,
    view: ViewDep,
    other_dag: Text,
    other_run: Text,
    session: SessionDep,
) -> Response:
    """This run beside another, whose DAG's runs the user must be allowed to read as well."""
    other = _cache(_found(session, check(other_dag, user), other_run)).view()
    version = f"{view.version}.{other.version}"
    made = cache.document(f"compare {other.url}", version, lambda: documents.compare(view, other))
    return json_reply(request, made, version)


@app.get("/file")
def file(cache: CacheDep, view: ViewDep, name: Text, trial: Text = "") -> Response:
    """A file of the run, or of one of its trials: only such as a page offers."""
    if not trial and name in _RUN_FILES:
        return download(cache.ledger.store, cache.ledger.path(name), name)
    if trial and is_artifact(name):
        found = trial_of(view, trial)
        return download(cache.ledger.store, cache.ledger.trial_path(found.trial, name), f"{found.trial}-{name}")
    raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such file")


def _found(session: Any, dag_id: str, run_id: str) -> Run:
    found = find_run(session, dag_id, run_id)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such run of a search")
    return found


def _cache(run: Run) -> RunCache:
    store = store_of(run.dag_id)
    if store is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such search")
    return caches.of((store, run.dag_id, run.ledger))


def _begun(cache: RunCache) -> RunView | None:
    try:
        return cache.view()
    except LedgerError:
        return None


def _reply(request: Request, document: Any) -> Response:
    made = compressed(document)
    return json_reply(request, made, hashlib.sha256(made).hexdigest()[:16])
