"""The results page's server, inside Airflow's own application."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.airflow.standalone import ROOT
from tests.airflow.support import sign_in
from tests.core.report import made_up
from windtunnel.ledger import Ledger
from windtunnel.ledger.ids import safe_name
from windtunnel.stores.local import LocalStore

RUN = "manual__2026-11-21T09:00:00+00:00"
DATA = ("summary", "overview", "trials", "curves", "importance", "lanes")


@pytest.fixture(scope="module")
def airflow(home):
    """A client of Airflow's application, whose database has two searches and some runs."""
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from fastapi.testclient import TestClient

    from tests.airflow import pages

    pages.add_searches(home, digits_cnn={}, secret={})
    pages.add_run("digits_cnn", RUN, "running", {"finalists": "running"}, epochs_full=12, approval=True)
    pages.add_run("digits_cnn", "again", "success", resume=RUN)
    pages.add_run("digits_cnn", "empty", "queued")
    pages.add_run("digits_cnn", "broken", "failed", {"prepare_data.start": "failed", "clean_up": "failed"})
    pages.say_why("digits_cnn", "broken", "prepare_data.start", "cost() failed: no such layer")
    pages.add_run("digits_cnn", "silent", "failed")
    pages.add_run("secret", "hidden")
    made_up.fill(Ledger(LocalStore(home / "runs"), "digits_cnn", RUN), hostile=True)
    made_up.fill_partly(Ledger(LocalStore(home / "runs"), "digits_cnn", "silent"), session="silent")
    made_up.fill(Ledger(LocalStore(home / "runs"), "secret", "hidden"), seed=3)
    (home / "runs" / "passwords.txt").write_text("secret")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")  # or whoever comes is logged in
        purge_cached_app()
        yield TestClient(create_app(apps="core"), "http://localhost:8080")
    purge_cached_app()
    for file in (home / "searches").iterdir():
        file.unlink()


@pytest.fixture
def client(airflow):
    sign_in(airflow)
    airflow.cookies.clear()
    yield airflow
    airflow.headers.pop("Authorization", None)


def get(client, name, run=RUN, dag="digits_cnn", **more):
    return client.get(f"/windtunnel/data/{name}", params={"dag_id": dag, "run_id": run} | more)


def test_the_plugin_puts_a_tab_on_the_run_and_a_page_into_the_navigation(client):
    views = {
        view["name"]: view
        for plugin in client.get("/api/v2/plugins").json()["plugins"]
        for view in plugin["external_views"]
    }
    assert views["Search"]["destination"] == "dag_run"
    assert views["Search"]["href"] == "/windtunnel/run?dag_id={DAG_ID}&run_id={RUN_ID}"
    assert views["Searches"]["destination"] == "nav"


@pytest.mark.parametrize("name", DATA)
def test_every_document_is_served(client, name):
    reply = get(client, name)
    assert reply.status_code == 200
    json.dumps(reply.json(), allow_nan=False)
    etag = {"If-None-Match": reply.headers["etag"]}
    again = client.get(reply.url, headers=etag)
    assert again.status_code == 304
    assert again.content == b""


def test_the_overview_has_airflows_side_too(client):
    found = get(client, "overview").json()
    assert found["airflow"]["state"] == "running"
    assert found["airflow"]["tasks"] == [{"task": "finalists", "index": -1, "state": "running"}]
    assert found["overview"]["counts"]["failed"] == 3


def test_a_failed_run_has_the_tasks_that_failed_and_why(client):
    found = get(client, "overview", run="broken").json()
    assert found["overview"] is None  # it failed before its ledger began
    failed = {each["task"]: each["why"] for each in found["airflow"]["failed"]}
    assert failed == {"prepare_data.start": "cost() failed: no such layer", "clean_up": ""}


def test_a_run_that_airflow_calls_failed_works_no_more(client):
    """Even where no task could write that into its ledger."""
    found = get(client, "overview", run="silent").json()["overview"]
    assert (found["works"], found["failure"]) == (False, "the DAG run ended as failed")
    assert found["counts"]["running"] == found["counts"]["waiting"] == 0 < found["counts"]["cancelled"]
    assert "running" not in get(client, "trials", run="silent").json()["unended"].values()
    assert get(client, "overview").json()["overview"]["works"]


def test_a_queued_run_waits_behind_the_one_that_runs(client):
    assert get(client, "overview", run="empty").json()["airflow"]["behind"] == RUN
    assert get(client, "overview").json()["airflow"]["behind"] is None


def test_a_search_is_paused_or_stale(client):
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    def standing():
        found = get(client, "overview").json()["airflow"]
        listed = next(
            each for each in client.get("/windtunnel/data/runs").json()["searches"] if each["dag_id"] == "digits_cnn"
        )
        assert (found["paused"], found["stale"]) == (listed["paused"], listed["stale"])
        return found["paused"], found["stale"]

    with create_session() as session:
        dag = session.get(DagModel, "digits_cnn")
        before = dag.is_paused, dag.is_stale
    for now in ((True, False), (False, True), (False, False)):
        with create_session() as session:
            dag = session.get(DagModel, "digits_cnn")
            dag.is_paused, dag.is_stale = now
        assert standing() == now
    with create_session() as session:
        dag = session.get(DagModel, "digits_cnn")
        dag.is_paused, dag.is_stale = before


def test_a_dag_that_is_no_search_is_said_to_be_none(client):
    reply = get(client, "overview", dag="unknown", run="any")
    assert reply.status_code == 404
    assert reply.json()["detail"] == "unknown is no search: there is nothing to show of its runs"
    assert get(client, "overview", run="gone").json()["detail"] == "There is no such run of a search"


def test_a_run_has_taken_its_time_since_its_first_task_whatever_was_cleared(client):
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    began = datetime.now(UTC) - timedelta(hours=2)
    with create_session() as session:
        task = session.query(TaskInstance).filter_by(run_id="broken", task_id="prepare_data.start").one()
        task.start_date = began
        run = session.query(DagRun).filter_by(run_id="broken").one()
        run.start_date = run.end_date  # as clearing a task leaves it
    assert get(client, "overview", run="broken").json()["airflow"]["started"] == pytest.approx(began.timestamp())
    listed = client.get("/windtunnel/data/runs").json()["runs"]
    assert next(run for run in listed if run["run_id"] == "broken")["started"] == pytest.approx(began.timestamp())


def test_to_go_on_with_a_run_takes_what_it_was_triggered_with(client):
    """By Airflow's word: the ledger's session says that nobody is asked for an approval."""
    found = get(client, "overview").json()["airflow"]
    assert found["most_iterations"] == 2
    assert found["choices"] == {"epochs_full": 12, "approval": True}
    assert get(client, "overview", run="empty").json()["airflow"]["choices"] == {}


def test_only_what_changed_is_sent_again(client):
    first = get(client, "trials").json()
    assert len(first["columns"]["trial"]) == 46
    assert get(client, "trials", since="46.99999999999999").json()["columns"]["trial"] == []


def test_a_trial_and_its_files(client, home):
    ledger = Ledger(LocalStore(home / "runs"), "digits_cnn", RUN)
    trial = get(client, "trials").json()["columns"]["trial"][0]
    ledger.store.put(ledger.trial_path(trial, "model.onnx"), b"\x08onnx" * 100_000)
    found = get(client, "trial", trial=trial).json()
    assert "model.onnx" in [file["name"] for file in found["files"]]
    query = {"dag_id": "digits_cnn", "run_id": RUN, "trial": trial, "name": "model.onnx"}
    reply = client.get("/windtunnel/file", params=query)
    assert reply.content == b"\x08onnx" * 100_000
    assert reply.headers["content-disposition"] == f'attachment; filename="{trial}-model.onnx"'
    assert reply.headers["content-type"] == "application/octet-stream"


def test_a_bad_file_and_a_store_that_fails_are_named(client, home, monkeypatch):
    from windtunnel.errors import UnavailableError
    from windtunnel_airflow.page.readers import run_cache

    bad = Ledger(LocalStore(home / "runs"), "digits_cnn", "again-bad")
    made_up.fill(bad, iterations=1, finalists=0)
    monkeypatch.setattr("windtunnel_airflow.page.app._cache", lambda run: run_cache(bad.store.url, bad.search, bad.run))
    bad.store.put(bad.path("iterations/1/plan.json"), b"{")
    for name in ("overview", "summary", "trials"):
        reply = get(client, name)
        assert reply.status_code == 503
        assert "iterations/1/plan.json is no Plan" in reply.json()["detail"]
        assert "delete it and resume the run" in reply.json()["detail"]

    def fail(self):
        raise UnavailableError("the run's folder is gone; bring it back")

    monkeypatch.setattr("windtunnel.report.reader.RunReader.read", fail)
    run_cache.cache_clear()
    reply = get(client, "overview")
    assert (reply.status_code, reply.json()["detail"]) == (
        503,
        "The store cannot be read: the run's folder is gone; bring it back",
    )
    run_cache.cache_clear()


@pytest.mark.parametrize(
    ("trial", "name"),
    [
        ("", "../passwords.txt"),
        ("", "../../passwords.txt"),
        ("", "trials"),
        ("", "writer.json"),
        ("", "/etc/passwd"),
        ("TRIAL", "../../search.json"),
        ("TRIAL", "..%2f..%2fsearch.json"),
        ("TRIAL", "checkpoint.pt"),
        ("TRIAL", "attempts/1.json"),
        ("TRIAL", "log.txt\x00.json"),
        ("TRIAL", ".meta"),
        ("..", "search.json"),
        ("../../secret/hidden", "search.json"),
        ("verify-TRIAL", "log.txt"),
    ],
)
def test_no_other_file_can_be_reached(client, trial, name):
    known = get(client, "trials").json()["columns"]["trial"][0]
    query = {"dag_id": "digits_cnn", "run_id": RUN, "trial": trial.replace("TRIAL", known), "name": name}
    assert client.get("/windtunnel/file", params=query).status_code == 404


def test_the_documentation_tells_which_files_can_be_saved():
    from windtunnel.report.payloads.trial import _OFFERED
    from windtunnel_airflow.page.app import _RUN_FILES

    page = (ROOT / "docs" / "results-page.md").read_text()
    of_a_run, of_a_trial = (row for row in page.splitlines() if row.startswith(("| a run |", "| a trial or")))
    assert set(re.findall(r"`([\w.]+)`", of_a_run)) == set(_RUN_FILES)
    endings = re.findall(r"`\.(\w+)`", of_a_trial)
    assert f"({'|'.join(endings)})" in _OFFERED.pattern


@pytest.mark.parametrize("run", ["../secret/hidden", "..", "nonsense", "manual__2026", "", "a" * 600])
def test_no_other_run_can_be_reached(client, run):
    assert get(client, "overview", run=run).status_code in (404, 422)


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e/html.py", "page.html", "vendor/tabulator.min.js"])
def test_no_other_asset_can_be_reached(client, name):
    assert client.get(f"/windtunnel/static/{name}").status_code == 404


def test_a_resumed_run_shows_the_ledger_that_it_works_on(client):
    assert (
        get(client, "overview", run="again").json()["overview"]["counts"]
        == get(client, "overview").json()["overview"]["counts"]
    )


def test_a_run_that_has_not_begun_is_shown_as_such(client):
    found = get(client, "overview", run="empty").json()
    assert found["overview"] is None
    assert found["airflow"]["state"] == "queued"
    assert get(client, "trials", run="empty").status_code == 404


def test_two_runs_are_compared(client):
    found = get(client, "compare", other_dag="secret", other_run="hidden").json()
    assert [run["search"] for run in found["runs"]] == ["digits_cnn", "secret"]
    assert get(client, "compare", other_dag="secret", other_run="nonsense").status_code == 404


def test_comparing_with_a_run_under_way_keeps_one_comparison(client, home, monkeypatch):
    from windtunnel_airflow.page import app, readers

    monkeypatch.setattr(readers, "_FRESH", -1.0)
    monkeypatch.setattr(readers, "_PATIENCE", 10.0)
    other = Ledger(LocalStore(home / "runs"), "secret", "hidden")
    versions = set()
    for name in ("one", "two", "three"):
        reply = get(client, "compare", other_dag="secret", other_run="hidden")
        assert reply.status_code == 200
        versions.add(reply.headers["etag"])
        made_up.open_session(other, made_up.definition(), name)
    assert len(versions) == 3
    cache = app.run_cache(str(home / "runs"), "digits_cnn", safe_name(RUN))
    assert len([name for name in cache._made if name.startswith("compare")]) == 1
    assert len([name for name in cache._making if name.startswith("compare")]) == 1


def paths(trial="0123456789abcdef-e1"):
    yield "/windtunnel/"
    yield "/windtunnel/data/runs"
    run = f"dag_id=digits_cnn&run_id={RUN.replace('+', '%2B')}"
    yield f"/windtunnel/run?{run}"
    yield f"/windtunnel/file?{run}&name=report.html"
    yield f"/windtunnel/data/trial?{run}&trial={trial}"
    yield f"/windtunnel/data/artifacts?{run}&trial={trial}"
    for name in ("overview", "block?number=0", "partition?name=a", "files", "compare?other=b", "file?name=report.html"):
        yield f"/windtunnel/data/fleet/{name}{'&' if '?' in name else '?'}{run}"
    yield f"/windtunnel/data/compare?{run}&other_dag=secret&other_run=hidden"
    yield from (f"/windtunnel/data/{name}?{run}" for name in DATA)


def test_every_path_is_tested():
    from windtunnel_airflow.page.app import app

    known = {route.path for route in app.routes}
    assert known == {"/static/{name}"} | {path.partition("?")[0].removeprefix("/windtunnel") for path in paths()}


@pytest.mark.parametrize("path", list(paths()))
def test_without_a_login_nothing_is_told(airflow, path):
    airflow.headers.pop("Authorization", None)
    airflow.cookies.clear()
    reply = airflow.get(path)
    assert reply.status_code == 401
    assert "digits" not in reply.text


@pytest.mark.parametrize("path", list(paths()))
def test_whoever_may_not_read_the_dag_is_told_nothing(client, path, monkeypatch):
    allow(monkeypatch, {"secret"})
    reply = client.get(path)
    if "dag_id" not in path:
        assert reply.status_code == 200
        assert "digits_cnn" not in reply.text
        return
    assert reply.status_code == 403
    assert reply.json() == {"detail": "You may not read this DAG's runs"}


def test_the_other_run_of_a_comparison_is_guarded_too(client, monkeypatch):
    allow(monkeypatch, {"digits_cnn"})
    assert get(client, "compare", other_dag="secret", other_run="hidden").status_code == 403


@pytest.mark.parametrize("query", ["dag_id=secret&dag_id=digits_cnn", "dag_id=digits_cnn&dag_id=secret"])
def test_naming_two_dags_does_not_slip_past_the_guard(client, monkeypatch, query):
    allow(monkeypatch, {"digits_cnn"})
    reply = client.get(f"/windtunnel/data/overview?{query}&run_id=hidden")
    assert reply.status_code in (403, 404)


@pytest.mark.parametrize("dag", ["", "~", "%"])
def test_no_dag_is_no_way_round_either(client, monkeypatch, dag):
    allow(monkeypatch, {"digits_cnn"})
    assert get(client, "overview", dag=dag).status_code in (403, 404, 422)


def allow(monkeypatch, dags):
    """Let the user read the runs of these DAGs alone."""
    from airflow.api_fastapi.app import get_auth_manager

    manager = type(get_auth_manager())
    monkeypatch.setattr(
        manager,
        "is_authorized_dag",
        lambda _, *, method, user, access_entity=None, details=None: bool(details) and details.id in dags,
    )


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(client, method):
    for path in paths():
        assert getattr(client, method)(path).status_code == 405


def test_every_reply_has_the_security_headers(client):
    for path in [*paths(), "/windtunnel/static/run.js", "/windtunnel/static/nothing"]:
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        assert headers["x-content-type-options"] == "nosniff"


def test_pages_have_nothing_inline_and_fetch_from_their_own_server_only(client):
    for path in ("/windtunnel/", f"/windtunnel/run?dag_id=digits_cnn&run_id={RUN}"):
        page = client.get(path).text
        assert "<style" not in page
        assert "onclick" not in page
        assert page.count("<script") == page.count('src="static/')
        assert "http:" not in page
        assert "https:" not in page


def test_assets_are_compressed_once(client):
    reply = client.get("/windtunnel/static/plotly.min.js", headers={"Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert len(reply.content) > 4_000_000
    assert int(reply.headers.get("content-length", 0)) < 2_000_000


def test_the_lists_of_searches_and_runs(client):
    found = client.get("/windtunnel/data/runs").json()
    assert [search["dag_id"] for search in found["searches"]] == ["digits_cnn", "secret"]
    assert {run["run_id"] for run in found["runs"]} == {RUN, "again", "broken", "empty", "hidden", "silent"}


def test_older_runs_come_by_pages_and_none_is_left_out(client, monkeypatch):
    """Some of them were due at the same moment."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        due = session.scalar(select(DagRun.run_after).where(DagRun.run_id == "again"))
        for run in ("broken", "empty", "silent"):
            session.scalar(select(DagRun).where(DagRun.run_id == run)).run_after = due
    monkeypatch.setattr("windtunnel_airflow.page.app._MOST_RUNS", 1)
    runs, before = [], ""
    for _ in range(6):
        found = client.get("/windtunnel/data/runs", params={"before": before}).json()
        runs, before = [*runs, *(run["run_id"] for run in found["runs"])], found["older"]
    assert runs == ["hidden", "silent", "broken", "empty", "again", RUN]
    assert before == ""


@pytest.mark.parametrize("before", ["x", "1", "1-", "-1-2", f"{'9' * 17}-1", "1-2-3"])
def test_no_other_place_in_the_list_is_asked_for(client, before):
    assert client.get("/windtunnel/data/runs", params={"before": before}).status_code == 422
    assert client.get("/windtunnel/data/runs", params={"before": f"{'9' * 16}-1"}).status_code == 200


def test_workers_do_not_import_the_pages(home):
    import subprocess
    import sys

    code = (
        "import sys; from airflow import plugins_manager as p; p.integrate_macros_plugins(); "
        "print('windtunnel_airflow.page.app' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "False"


def test_documents_are_gzip(client):
    from windtunnel_airflow.page.readers import compressed

    assert json.loads(gzip.decompress(compressed({"a": [1, None]}))) == {"a": [1, None]}
