"""Windtunnel's core: definitions, spaces, strategies, the ledger and its stores. Knows neither Airflow nor torch."""

__version__ = "0.1.0"
