from windtunnel_airflow import load_searches  # Airflow reads DAG files that have the words airflow and dag in them

load_searches("../searches", globals())
