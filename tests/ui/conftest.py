import pytest

from tests import browser
from tests.azurite import azurite, missing
from tests.core.report import made_up
from tests.ui.live import LiveRun
from tests.ui.pages import login
from tests.ui.server import Server
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store
from windtunnel.stores.local import LocalStore

AZURE = "azure://ledgers/ui"


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
    with Server(home, azure=AZURE if azure else "", **given) as running:
        made_up.fill(running.ledger("finished"), hostile=True)
        made_up.fill(running.ledger("other"), seed=2)
        made_up.fill_partly(running.ledger("running"))
        made_up.fill_failing(running.ledger("failing"))
        made_up.fill(running.ledger("hidden", "guarded"))
        yield running


@pytest.fixture(scope="session")
def azure_ledger(azure):
    """The ledger of a finished run in Azurite."""
    if azure is None:
        pytest.skip("Azurite is not installed: it takes npm")
    store = open_store(AZURE, {"AZURE_STORAGE_CONNECTION_STRING": azure.connection_string})
    ledger = Ledger(store, "in_azure", "finished")
    made_up.fill(ledger, hostile=True)
    return ledger


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests; each has a session of its own in it."""
    if browser.EXECUTABLE is None:
        pytest.skip(browser.MISSING)
    with browser.launched() as running:
        yield running


@pytest.fixture(scope="session")
def logins(server, chromium):
    """What the browser keeps of each user's login, which goes through Airflow's own form; of nobody, nothing."""
    kept = {None: None}

    def of(user):
        if user not in kept:
            with browser.page_of(chromium) as page:
                kept[user] = login(page, server, user)
        return kept[user]

    return of


@pytest.fixture
def open_page(chromium, logins):
    """Opens pages as a user, or as nobody: `with open_page(user) as page`."""

    def of(user="admin", **options):
        return browser.page_of(chromium, storage_state=logins(user), **options)

    return of


@pytest.fixture
def live(chromium, tmp_path):
    """A run that goes on as a test wants it to, and its page; the run has not begun."""
    with browser.page_of(chromium) as page:
        yield LiveRun(page, Ledger(LocalStore(tmp_path), "digits_cnn", "live"))
