"""The plugin for an Airflow whose plugins folder this is; where Windtunnel is installed, its entry point gives it."""

from importlib.metadata import entry_points

if "windtunnel" not in entry_points(group="airflow.plugins").names:
    from windtunnel_airflow.plugin import WindtunnelPlugin  # noqa: F401
