"""Everything of Windtunnel that knows Airflow. A DAG file needs `load_searches`; nothing of Airflow is imported before."""

from windtunnel_airflow.folder import check_searches, load_searches

__all__ = ["check_searches", "load_searches"]
