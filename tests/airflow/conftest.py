"""An Airflow of the tests' own, its settings in the environment before anything imports it; searches to run in it."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from windtunnel_airflow.environment import airflow_environment

if "airflow" not in sys.modules:
    _home = Path(tempfile.mkdtemp(prefix="windtunnel-airflow-"))
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    (_home / "dags").mkdir()
    (_home / "searches").mkdir()
    os.environ.update(airflow_environment(_home, _home / "dags", store=_home / "runs"))
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"

DAG_FILE = """\
from windtunnel_airflow import load_searches  # airflow dag
load_searches("../searches", globals())
"""


@pytest.fixture(scope="session")
def home():
    """The folder of the tests' own Airflow, its database ready."""
    from airflow.configuration import AIRFLOW_HOME
    from airflow.utils.db import initdb

    assert Path(AIRFLOW_HOME).name.startswith("windtunnel-airflow-"), "another Airflow was imported before"
    initdb()
    (Path(AIRFLOW_HOME) / "dags" / "searches.py").write_text(DAG_FILE)
    return Path(AIRFLOW_HOME)


@pytest.fixture
def searches(home, monkeypatch):
    """Writes definitions and runs their DAGs in this process; definitions are gone after the test."""
    from tests.airflow.support import Searches

    found = Searches(home, monkeypatch)
    yield found
    for file in (home / "searches").iterdir():
        file.unlink()


@pytest.fixture
def answers(home):
    """Answers, from another thread and through the REST API, the approval that a run of a search asks for."""
    from tests.airflow.support import answer

    threads = []

    def ask(search, choice):
        threads.append(answer(search, choice))

    yield ask
    for thread in threads:
        thread.join(timeout=300)
