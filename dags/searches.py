"""A DAG for every search in include/searches. Airflow reads this file because the words airflow and dag are in it."""

from windtunnel_airflow import load_searches

load_searches("../include/searches", globals())
