"""Shows what is wrong in include/searches among Airflow's import errors, apart from the DAGs that are right."""

from windtunnel_airflow import check_searches

check_searches("../include/searches", __file__)
