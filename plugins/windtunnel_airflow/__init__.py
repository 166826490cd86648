"""All of Windtunnel that knows Airflow. Importing the package imports nothing of Airflow."""

from windtunnel_airflow.folder import check_searches, load_searches

__all__ = ["check_searches", "load_searches"]
