"""What the page of a fleet's run asks for. All of it is read; who may read it, `access` says."""

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response, status

from windtunnel.errors import LedgerError, UnreadableError
from windtunnel.report import FleetSnapshot
from windtunnel.report.fleet import payloads
from windtunnel_airflow.page.access import ReadableDag, existing_run
from windtunnel_airflow.page.readers import RunCache, compressed, fleet_cache
from windtunnel_airflow.page.replies import digested, download, json_reply
from windtunnel_airflow.page.runs import Run, list_runs, search_dag

_MOST_RUNS = 200  # to compare with

Text = Annotated[str, Query(max_length=500)]

router = APIRouter(prefix="/data/fleet")


def run_of(dag_id: ReadableDag, run_id: Text, session: SessionDep) -> Run:
    """The run of the request: 404 where there is none, or where it is no fleet's."""
    if not search_dag(dag_id).is_fleet:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"{dag_id} is no fleet")
    return existing_run(session, dag_id, run_id)


def cache_of(run: "RunDep") -> RunCache[FleetSnapshot]:
    """What is kept of the run of the request."""
    return fleet_cache(search_dag(run.dag_id).store or "", run.dag_id, run.ledger)


def place_of(cache: "CacheDep", name: Text) -> int:
    """The place of the partition of the request: 404 where there is none of that name."""
    place = cache.snapshot().place_of(name)
    if place is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The run has no such partition")
    return place


RunDep = Annotated[Run, Depends(run_of)]
CacheDep = Annotated[RunCache[FleetSnapshot], Depends(cache_of)]
PlaceDep = Annotated[int, Depends(place_of)]


@router.get("/overview")
def overview(request: Request, run: RunDep, cache: CacheDep, session: SessionDep) -> Response:
    """The run as a whole, None until it has begun, and the names of the fleet's other runs."""
    runs, _ = list_runs(session, {run.dag_id}, _MOST_RUNS)
    others = [{"run_id": other.run_id, "state": other.state} for other in runs if other.run_id != run.run_id]
    return digested(request, compressed({"airflow": run.to_json(), "fleet": _overview(cache), "runs": others}))


@router.get("/block")
def block(request: Request, cache: CacheDep, number: Annotated[int, Query(ge=0, le=1_000_000)]) -> Response:
    """Some partitions that follow each other."""
    snapshot = cache.snapshot()
    if number and number * payloads.BLOCK >= len(snapshot.partitions):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The run has no such partitions")
    make = lambda: compressed(payloads.block(snapshot, number))  # noqa: E731
    return json_reply(request, cache.made(f"block {number}", snapshot.version, make), snapshot.version)


@router.get("/partition")
def partition(request: Request, cache: CacheDep, place: PlaceDep) -> Response:
    """One partition."""
    return digested(request, compressed(payloads.partition(cache.snapshot(), cache.ledger, place)))


@router.get("/files")
def files(request: Request, cache: CacheDep) -> Response:
    """The names of the files that belong to all partitions."""
    return digested(request, compressed(payloads.files(cache.ledger)))


@router.get("/compare")
def compare(request: Request, run: RunDep, cache: CacheDep, other: Text, session: SessionDep) -> Response:
    """The run beside another one of the same fleet."""
    earlier = cache_of(existing_run(session, run.dag_id, other)).snapshot()
    return digested(request, compressed(payloads.compare(cache.snapshot(), earlier)))


@router.get("/file")
def file(cache: CacheDep, name: Text, partition: Text = "") -> Response:
    """A file of the run, or one that a partition has saved: only such as the page offers."""
    if not partition and name in payloads.files(cache.ledger):
        return download(cache.ledger.store, cache.ledger.path(name), name.rpartition("/")[2])
    if partition:
        path = payloads.saved_file(cache.snapshot(), cache.ledger, place_of(cache, partition), name)
        if path is not None:
            return download(cache.ledger.store, path, f"{partition}-{name.rpartition('/')[2]}")
    raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such file")


def _overview(cache: RunCache[FleetSnapshot]) -> dict[str, Any] | None:
    try:
        return payloads.overview(cache.snapshot())
    except UnreadableError:
        raise
    except LedgerError:
        return None
