"""Windtunnel's Airflow side: the DAG of a search, its tasks, sensor and trigger."""
