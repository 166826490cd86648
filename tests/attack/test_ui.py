"""What a web page, another user of this machine and another machine can do to `make ui`: nothing."""

import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import psutil
import pytest

from tests.airflow.standalone import free_ports
from tests.installed import ROOT, clean_environment

pytestmark = pytest.mark.slow

NOBODY = 65534
ROUTES = (
    "/",
    "/auth/login",
    "/api/v2/version",
    "/api/v2/dags",
    "/ui/auth/me",
    "/execution/health",
    "/windtunnel/",
    "/windtunnel/data/runs",
    "/docs",
)
TRIGGER = "/api/v2/dags/digits_cnn/dagRuns"


class Ui:
    """A running `make ui`: its process, its port, its folder, and a client for each visitor."""

    def __init__(self, process, port, home, printed):
        self.process, self.port, self.home = process, port, home
        self.password = (re.findall(r"password (\S+)$", printed, re.MULTILINE) or [""])[0]
        self.own = f"localhost:{port}"

    def ask(self, path, method="GET", *, token="", json=None, **headers):
        """Send a request as the headers say; the reply's status."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        address = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, address, headers={"Host": self.own} | headers, json=json, timeout=30)

    def token(self, password):
        """What the login gives for a password; None where it is refused."""
        login = {"username": "admin", "password": password}
        return self.ask("/auth/token", "POST", json=login).json().get("access_token")


@pytest.fixture(scope="module")
def ui():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # pytest's own folders keep others out by themselves
        yield from started(Path(folder))


def started(folder):
    (port,) = free_ports(1)
    command = [sys.executable, str(ROOT / "scripts" / "ui.py"), "--port", str(port), "--home", str(folder / "airflow")]
    environment = clean_environment(WINDTUNNEL_STORE=folder / "runs", PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        try:
            assert "is ready" in printed
            yield Ui(process, port, folder / "airflow", printed)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def test_who_has_the_password_gets_in(ui):
    assert ui.ask("/api/v2/dags", token=ui.token(ui.password)).status_code == 200
    assert ui.ask("/windtunnel/", token=ui.token(ui.password)).status_code == 200


@pytest.mark.parametrize("path", ["/api/v2/dags", "/api/v2/connections", "/ui/dags", "/windtunnel/data/runs"])
def test_without_a_token_nothing_is_shown(ui, path):
    assert ui.ask(path).status_code == 401


def test_without_a_token_nothing_is_done(ui):
    assert ui.ask(TRIGGER, "POST", json={"logical_date": None}).status_code == 401
    assert ui.ask("/api/v2/dags/digits_cnn", "PATCH", json={"is_paused": True}).status_code == 401


def test_no_token_is_given_away(ui):
    assert ui.ask("/auth/token").status_code == 403
    assert "set-cookie" not in ui.ask("/auth/token/login").headers
    assert [ui.token(password) for password in ("admin", "", ui.password + "x")] == [None, None, None]


@pytest.mark.parametrize("path", ROUTES)
def test_under_a_foreign_name_every_route_is_closed(ui, path):
    token = ui.token(ui.password)
    names = [
        "evil.example",
        f"evil.example:{ui.port}",
        f"{ui.own}.evil.example",
        "localhost",
        f"localhost:{ui.port + 1}",
    ]
    assert {name: ui.ask(path, token=token, Host=name).status_code for name in names} == dict.fromkeys(names, 403)


@pytest.mark.parametrize("path", ROUTES)
def test_to_a_foreign_page_every_route_is_closed(ui, path):
    token = ui.token(ui.password)
    pages = ["http://evil.example", "null", f"http://localhost:{ui.port + 1}", f"http://{ui.own}.evil.example"]
    assert {page: ui.ask(path, token=token, Origin=page).status_code for page in pages} == dict.fromkeys(pages, 403)


def test_a_foreign_page_triggers_nothing(ui):
    body = {"logical_date": None}
    reply = ui.ask(TRIGGER, "POST", token=ui.token(ui.password), json=body, Origin="http://evil.example")
    assert reply.status_code == 403


def test_this_machines_own_names_pass(ui):
    token = ui.token(ui.password)
    for name in (ui.own, f"127.0.0.1:{ui.port}", f"[::1]:{ui.port}", f"LOCALHOST:{ui.port}"):
        assert ui.ask("/api/v2/dags", token=token, Host=name, Origin=f"http://{name}").status_code == 200, name


def test_no_other_machine_reaches_anything(ui):
    family = psutil.Process(ui.process.pid).children(recursive=True)
    listening = {each.laddr for process in family for each in process.net_connections() if each.status == "LISTEN"}
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert {address.port for address in listening} == {ui.port}


def test_no_other_user_reads_keys_password_or_database(ui):
    assert stat.S_IMODE(ui.home.stat().st_mode) == 0o700
    for file in ("airflow.cfg", "airflow.db", "passwords.json"):
        assert stat.S_IMODE((ui.home / file).stat().st_mode) == 0o600, file


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("file", ["airflow.cfg", "airflow.db", "passwords.json", "airflow.log"])
def test_another_user_reads_nothing(ui, file):
    command = ["head", "-c", "1", str(ui.home / file)]
    done = subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True)
    assert (done.returncode != 0, done.stdout) == (True, b"")
