"""A live page over a run that the attacker may write, and a secret of this host that it must not show."""

from contextlib import contextmanager

import pytest

from tests.airflow.conftest import home  # noqa: F401  (a fixture)
from tests.airflow.support import sign_in
from tests.core.report import made_up
from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore

SEARCH, RUN = "attacked", "manual__2026-11-28"
SECRET = "the host's secret"


class Page:
    """The results page's server, asked through HTTP by a user who may read the run."""

    def __init__(self, client):
        self.client = client

    def data(self, name, **more):
        return self.client.get(f"/windtunnel/data/{name}", params={"dag_id": SEARCH, "run_id": RUN} | more)

    def file(self, name, **more):
        return self.client.get("/windtunnel/file", params={"dag_id": SEARCH, "run_id": RUN, "name": name} | more)


@contextmanager
def signed_in(dag_id):
    """A client of Airflow whose user may read the DAG of a file that is there; it has one run, and goes at the end."""
    from airflow.api.common.delete_dag import delete_dag
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from fastapi.testclient import TestClient

    from tests.airflow import pages

    pages.add_run(dag_id, RUN, "success")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
        purge_cached_app()
        client = TestClient(create_app(apps="core"), "http://localhost:8080", raise_server_exceptions=False)
        sign_in(client)
        yield client
    purge_cached_app()
    delete_dag(dag_id)


@pytest.fixture(scope="module")
def airflow(home):  # noqa: F811
    from tests.airflow import pages

    pages.add_searches(home, **{SEARCH: {}})
    with signed_in(SEARCH) as client:
        yield client
    for file in (home / "searches").iterdir():
        file.unlink()


@pytest.fixture
def page(airflow, live):
    from windtunnel_airflow.page.readers import run_cache

    run_cache.cache_clear()
    return Page(airflow)


@pytest.fixture
def live(home):  # noqa: F811
    """The ledger that the page shows, made anew."""
    import shutil

    ledger = Ledger(LocalStore(home / "runs"), SEARCH, RUN)
    shutil.rmtree(ledger.store.folder / ledger.root, ignore_errors=True)
    made_up.fill(ledger)
    return ledger


@pytest.fixture
def ledger(tmp_path):
    """A run in a store of its own."""
    ledger = Ledger(LocalStore(tmp_path / "store"), "digits_cnn", "first")
    made_up.fill(ledger)
    return ledger


@pytest.fixture
def secret(tmp_path):
    """A file outside of every store."""
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    return file
