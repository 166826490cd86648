"""What the page of a fleet's run shows."""

from typing import Any

from fastapi import HTTPException, status
from sqlalchemy.orm import Session

from windtunnel.fleet.overview import overview
from windtunnel.ledger import Ledger
from windtunnel.report.payloads.plain import plain
from windtunnel_airflow.page.runs import Run, list_runs, search_dag

_MOST_RUNS = 200  # to compare with


def fleet_payload(ledger: Ledger, run: Run, session: Session) -> dict[str, Any]:
    """The run's overview, None until its data is split, and the names of the fleet's other runs.

    Raises:
        HTTPException: 404, the DAG is no fleet's.
    """
    if not search_dag(run.dag_id).is_fleet:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"{run.dag_id} is no fleet")
    runs, _ = list_runs(session, {run.dag_id}, _MOST_RUNS)
    others = [{"run_id": other.run_id, "state": other.state} for other in runs if other.run_id != run.run_id]
    return {"airflow": run.to_json(), "fleet": plain(overview(ledger)), "runs": others}
