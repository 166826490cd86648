import pytest

from tests import browser
from tests.azurite import azurite, missing
from tests.core.report import made_up
from tests.ui.pages import login
from tests.ui.server import Server
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store


def pytest_collection_modifyitems(items):
    for item in items:
        if "/ui/" in str(item.path):
            item.add_marker(pytest.mark.ui)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def azure():
    """An Azurite, or None where npm cannot give one."""
    if missing():
        yield None
        return
    with azurite() as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory, azure):
    """An API server with a run of each kind."""
    if browser.EXECUTABLE is None:
        pytest.skip(browser.MISSING)
    home = tmp_path_factory.mktemp("ui")
    given = {"AZURE_STORAGE_CONNECTION_STRING": azure.connection_string} if azure else {}
    with Server(home, azure="azure://ledgers/ui" if azure else "", **given) as running:
        made_up.fill(running.ledger("finished"), hostile=True)
        made_up.fill(running.ledger("other"), seed=2)
        made_up.fill_partly(running.ledger("running"))
        made_up.fill_failing(running.ledger("failing"))
        made_up.fill(running.ledger("hidden", "guarded"))
        if azure:
            made_up.fill(Ledger(open_store("azure://ledgers/ui", given), "in_azure", "finished"), hostile=True)
        yield running


@pytest.fixture(scope="session")
def logins(server):
    """What the browser keeps of each user's login, which goes through Airflow's own form."""
    kept = {}

    def of(user):
        if user not in kept:
            with browser.opened() as page:
                kept[user] = login(page, server, user)
        return kept[user]

    return of


@pytest.fixture
def open_page(server, logins):
    """Opens pages as a user: `with open_page(user) as page`."""

    def of(user="admin", **options):
        return browser.opened(storage_state=logins(user), **options)

    return of
