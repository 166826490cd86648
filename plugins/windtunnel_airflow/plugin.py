"""Windtunnel as an Airflow plugin, found by the distribution's entry point."""

from airflow.plugins_manager import AirflowPlugin


class WindtunnelPlugin(AirflowPlugin):
    """What Windtunnel adds to Airflow beyond DAGs."""

    name = "windtunnel"
