"""Windtunnel's trainer: what runs in a job. Knows torch, and no Airflow."""
