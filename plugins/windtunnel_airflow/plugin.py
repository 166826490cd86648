"""Windtunnel as an Airflow plugin, found by the distribution's entry point."""

import os
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from windtunnel_airflow.environment import HOSTS

_PREFIX = "/windtunnel"
_PAGE = {"category": "browse"}


class WindtunnelPlugin(AirflowPlugin):
    """What Windtunnel adds to Airflow beyond DAGs: pages, and notes on failed runs."""

    name = "windtunnel"

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """The pages' server; only an API server asks for it, so that no worker pays for its import."""
        from windtunnel_airflow.page.app import app

        return [{"app": app, "url_prefix": _PREFIX, "name": "Windtunnel"}]

    @cached_property
    def listeners(self) -> list[Any]:  # type: ignore[override]
        """What writes into a failed run's note why it failed."""
        from windtunnel_airflow import notes

        return [notes]

    @cached_property
    def fastapi_root_middlewares(self) -> list[Any]:  # type: ignore[override]
        """What guards all of the API server, where the hosts that it answers to are named."""
        from windtunnel_airflow.hosts import OnlyOwnHosts

        hosts = [host.strip() for host in os.environ.get(HOSTS, "").split(",") if host.strip()]
        return [{"middleware": OnlyOwnHosts, "kwargs": {"hosts": hosts}, "name": "Windtunnel's hosts"}] if hosts else []

    @cached_property
    def external_views(self) -> list[Any]:  # type: ignore[override]
        """Where Airflow's user interface shows the pages."""
        # Airflow leaves it to the plugin to put the path that it is served under before its links.
        pages = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + _PREFIX
        run = f"{pages}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}"
        return [
            {"name": "Search", "destination": "dag_run", "url_route": "search", "href": run},
            {"name": "Searches", "destination": "nav", "url_route": "searches", "href": f"{pages}/"} | _PAGE,
        ]
