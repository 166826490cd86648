"""A function as a workload: a search from Python, without YAML and without Airflow."""
