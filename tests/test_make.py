"""The Makefile: its help, the Python that it finds, and the commands that no other test runs."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from tests.installed import MAKE, ROOT, clean_environment, run

# Prints what the real interpreter would; says that it is Python 3.x where x is in its name.
FAKE = """\
#!/bin/sh
case "$2" in
  *version_info*) case "$0" in *3.11|*3.12|*3.13) exit 0;; *) exit 1;; esac;;
  *ensurepip*) exit {venv};;
  *) echo "$0";;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A machine with just these Pythons; what `find-python` prints there, and says on stderr."""

    def find(*names, venv=True, **settings):
        for name in names:
            (tmp_path / name).write_text(FAKE.format(venv=0 if venv else 1))
            (tmp_path / name).chmod(0o755)
        environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), **settings}
        command = ["/bin/sh", str(ROOT / "scripts" / "find-python")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    find.folder = tmp_path
    return find


def test_help_lists_every_command():
    said = run("make", "help", cwd=ROOT)
    for command in ("run", "ui", "test", "test-all", "lint", "validate", "lock", "bench-launcher"):
        assert f"\n  {command} " in said
    assert "PYTHON=" in said
    assert "TORCH_INDEX=" in said


def test_the_first_fitting_python_is_taken(machine):
    assert machine("python3.10", "python3.13", "python3.12") == (0, str(machine.folder / "python3.12"), "")


def test_pyenvs_versions_are_found(machine):
    folder = machine.folder / ".pyenv" / "versions" / "3.12.1" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to("/bin/true")
    status, _, said = machine()
    assert (status, said) == (0, "")


def test_without_a_python_one_line_names_versions_and_setting(machine):
    status, found, said = machine("python3.10")
    assert (status, found) == (1, "")
    assert len(said.splitlines()) == 1
    assert "3.11, 3.12 or 3.13" in said
    assert "PYTHON=" in said


def test_a_named_python_is_taken_or_refused(machine):
    machine("python3.11")
    assert machine("my3.13", PYTHON=str(machine.folder / "my3.13"))[:2] == (0, str(machine.folder / "my3.13"))
    status, found, said = machine("my3.10", PYTHON=str(machine.folder / "my3.10"))
    assert (status, found) == (1, "")
    assert "my3.10 is no Python 3.11, 3.12 or 3.13" in said


def test_a_python_without_venv_is_told(machine):
    status, _, said = machine("python3.12", venv=False)
    assert status == 1
    assert "venv" in said
    assert len(said.splitlines()) == 1


def test_make_stops_without_a_python(tmp_path):
    environment = clean_environment(PYTHON="/nonexistent/python")
    command = ["make", f"VENV={tmp_path}/venv", "validate"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "PYTHON=/nonexistent/python is no Python 3.11, 3.12 or 3.13" in done.stderr


@pytest.mark.slow
def test_make_ui(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*MAKE, "ui", f"PORT={port}", f"ARGS=--home {tmp_path}/airflow"]
    environment = clean_environment(WINDTUNNEL_STORE=tmp_path / "runs", PYTHONUNBUFFERED="1")
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as ui:
        said = ""
        try:
            for line in ui.stdout:
                said += line
                if "Ctrl-C" in line:
                    break
            assert f"http://localhost:{port}" in said
            password = re.search(r"as admin with the password (\S+)$", said, re.MULTILINE)[1]
            shipped = {file.stem for file in (ROOT / "include" / "searches").glob("*.yaml")}
            assert searches(port, password, len(shipped)) == shipped
        finally:
            os.killpg(ui.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
        ui.wait(120)
    with pytest.raises(OSError, match="refused"):
        fetch(port, "/api/v2/monitor/health")


def searches(port, password, number):
    """Names of the DAGs that can be triggered, once there are so many."""
    token = fetch(port, "/auth/token", login={"username": "admin", "password": password})["access_token"]
    until = time.monotonic() + 300
    while time.monotonic() < until:
        dags = fetch(port, "/api/v2/dags", token)["dags"]
        if len(dags) >= number:
            return {dag["dag_id"] for dag in dags if not dag["is_paused"]}
        time.sleep(1)
    raise AssertionError("Airflow found no searches")


def fetch(port, path, token="", login=None):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(login).encode() if login else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
