"""A run's page in a browser without an Airflow: what it asks for is answered here, and it asks when a test says so."""

from urllib.parse import parse_qs, urlsplit

from tests.ui.pages import READY
from windtunnel.errors import LedgerError
from windtunnel.report import RunReader, payloads
from windtunnel.report.pages import asset, run_page
from windtunnel_airflow.page.replies import HEADERS

ADDRESS = "http://localhost/windtunnel/run?dag_id=digits_cnn&run_id=live"
AIRFLOW = {"dag_id": "digits_cnn", "tasks": [], "most_iterations": 4, "choices": {}}
OTHER = {"dag_id": "digits_cnn", "run_id": "other", "state": "success"}


class LiveRun:
    """Attributes:
    page: the browser's.
    ledger: of the run, which a test fills.
    failing: payloads that the server fails to give.
    stale: a snapshot for each payload that the server makes of an older reading.
    active: whether the DAG run goes on.
    """

    def __init__(self, page, ledger):
        self.page, self.ledger = page, ledger
        self.failing, self.stale, self.active = set(), {}, True
        self._reader, self._curves = RunReader(ledger), payloads.Curves(ledger)
        page.set_default_timeout(20_000)
        page.route("**/windtunnel/**", self._answer)

    def open(self, view=""):
        self.page.goto(f"{ADDRESS}#{view}")
        self.page.wait_for_selector(READY)
        return self.page

    def poll(self, times=2):
        """Let the page ask for what is new; what it asks for thereafter has come before it asks once more."""
        for _ in range(times):
            self.page.evaluate(
                "delete document.documentElement.dataset.ready; document.dispatchEvent(new Event('visibilitychange'))"
            )
            self.page.wait_for_selector(READY)

    def read(self):
        return self._reader.read()

    def _answer(self, route):
        address = urlsplit(route.request.url)
        query = {name: values if name == "trial" else values[0] for name, values in parse_qs(address.query).items()}
        name = address.path.rpartition("/")[2]
        if name == "run":
            route.fulfill(body=run_page(), content_type="text/html", headers=HEADERS)
        elif "/static/" in address.path:
            found = asset(name)
            route.fulfill(body=found.text, content_type=found.media_type)
        elif name in self.failing:
            route.fulfill(status=503, json={"detail": "The store cannot be read"})
        else:
            route.fulfill(json=self._payload(name, query))

    def _payload(self, name, query):
        if name == "runs":
            return {"searches": [{"dag_id": "digits_cnn"}], "runs": [OTHER]}
        snapshot = self.stale.get(name) or self._snapshot()
        if name == "overview":
            airflow = {"state": "running" if self.active else "success", "active": self.active} | AIRFLOW
            return {"airflow": airflow, "overview": snapshot and payloads.overview(snapshot)}
        if name == "trials":
            return payloads.trials(snapshot, query.get("since", ""))
        if name == "trial":
            return payloads.trial(snapshot, self.ledger, snapshot.find(query["trial"][0]))
        if name == "curves":
            return payloads.curves(snapshot, self._curves, query.get("trial", ()), int(query.get("start", 0)))
        if name == "compare":
            return payloads.compare(snapshot, snapshot)
        return {"lanes": payloads.lanes, "importance": payloads.importance}[name](snapshot)

    def _snapshot(self):
        try:
            return self.read()
        except LedgerError:
            return None
