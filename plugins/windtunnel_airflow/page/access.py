"""Who may look: whoever may read the DAG's runs, by Airflow's own login and permissions."""

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Query, status
from sqlalchemy.orm import Session

from windtunnel_airflow.page.runs import Run, find_run, is_search


def check(dag_id: str, user: BaseUser) -> str:
    """The DAG's id, if the user may read its runs.

    Raises:
        HTTPException: 403, likewise where there is no such DAG, which the answer must not tell.
    """
    if not dag_id or not _may_read(dag_id, DagModel.get_team_name(dag_id), user):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "You may not read this DAG's runs")
    return dag_id


def readable(user: GetUserDep, dag_id: Annotated[str, Query(min_length=1, max_length=250)]) -> str:
    """The DAG of the request: 401 without a login, 403 without the right to read its runs."""
    return check(dag_id, user)


def readable_dags(user: GetUserDep) -> set[str]:
    """All DAGs whose runs the user may read; 401 without a login."""
    dags = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    teams = DagModel.get_dag_id_to_team_name_mapping(list(dags))
    return {dag for dag in dags if _may_read(dag, teams.get(dag), user)}


def existing_run(session: Session, dag_id: str, run_id: str) -> Run:
    """The run of a search or a fleet: 404 where there is none."""
    dag_run = find_run(session, dag_id, run_id)
    if dag_run is None and not is_search(session, dag_id):
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"{dag_id} is no search: there is nothing to show of its runs")
    if dag_run is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such run of a search")
    return dag_run


def _may_read(dag_id: str, team: str | None, user: BaseUser) -> bool:
    details = DagDetails(id=dag_id, team_name=team)
    return get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=details, user=user
    )


ReadableDag = Annotated[str, Depends(readable)]
ReadableDags = Annotated[set[str], Depends(readable_dags)]
