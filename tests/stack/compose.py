"""The whole stack of docker-compose.yaml, under a name and on a port of its own, driven over Airflow's REST API."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import time
from base64 import b64encode
from pathlib import Path

import httpx

from tests.airflow.standalone import free_ports

ROOT = Path(__file__).parents[2]
FINISHED = ("success", "failed")


def why_not():
    """Why no stack can be started here; None where one can."""
    if shutil.which("docker") is None:
        return "there is no docker: install Docker with Compose, or set DOCKER_HOST"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return f"{' '.join(command)}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
    return None


class Stack:
    """A Compose project that is gone, volumes included, when the block ends."""

    def __init__(self, project: str = "windtunnel-test"):
        (port,) = free_ports(1)
        self.project = project
        self.key = b64encode(secrets.token_bytes(32)).decode()
        self.settings = {
            "AIRFLOW_ADDRESS": f"127.0.0.1:{port}",
            "AIRFLOW_URL": f"http://localhost:{port}",
            "AZURITE_KEY": self.key,
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            "WINDTUNNEL_WORKLOADS": str(ROOT / "examples" / "own_project"),
        }
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)

    def __enter__(self):
        self.compose("down", "--volumes", "--timeout", "5")
        try:
            self.up()
            self.log_in()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_):
        self._leave()

    def _leave(self):
        self.client.close()
        self.compose("down", "--volumes", "--timeout", "5")

    def compose(self, *arguments, check=True):
        """Run `docker compose …` on the project; what it printed on stdout."""
        command = ["docker", "compose", "--env-file", os.devnull, "--project-name", self.project, *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("WINDTUNNEL_", "AZURE_", "COMPOSE_"))}
        done = subprocess.run(command, cwd=ROOT, env=environment | self.settings, capture_output=True, text=True)
        if check and done.returncode:
            raise RuntimeError(
                f"{' '.join(command)} gave {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done.stdout

    def up(self, *options):
        """Start what does not run, and return once all of it is healthy."""
        try:
            self.compose("up", "--wait", "--wait-timeout", "1200", *options)
        except RuntimeError as error:
            logs = self.compose("logs", "--tail", "30", check=False)
            raise RuntimeError(f"{error}\n{logs[-6000:]}") from None

    def restart(self, service, *, at_once=False):
        """End a service and start it again; it is healthy on return."""
        if at_once:
            self.compose("kill", service)
            self.compose("start", service)
        else:
            self.compose("restart", service)
        self.until(lambda: self.health(service) == "healthy", 900)

    def health(self, service):
        """A service's health, as the engine has it."""
        return json.loads(self.compose("ps", "--format", "json", service))["Health"]

    def inside(self, service, *command):
        """Run a command in a service's container; what it printed."""
        return self.compose("exec", "-T", service, *command)

    def log_in(self):
        """Take a token, as any client of Airflow's does."""
        password = self.inside("api-server", "cat", "secrets/password")
        login = {"username": "admin", "password": password}
        token = self.until(lambda: self.client.post("/auth/token", json=login).json()["access_token"], 300)
        self.client.headers["Authorization"] = f"Bearer {token}"

    def trigger(self, dag_id, **conf):
        """Trigger a DAG as soon as it is there; the run's id."""

        def ask():
            reply = self.client.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
            return reply.json()["dag_run_id"] if reply.status_code == 200 else None

        return self.until(ask, 600)

    def run(self, dag_id, run_id):
        """The run as the API has it."""
        return self.until(lambda: self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"), 600)

    def tasks(self, dag_id, run_id):
        """State by task: `{"finalists": "success", "iteration_1.train.launch[0]": …}`."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found, total = [], 1
        while len(found) < total:
            reply = self.until(lambda: self._get(path, limit=100, offset=len(found)), 600)  # noqa: B023
            total = reply["total_entries"]
            found += reply["task_instances"]
        return {ti["task_id"] + (f"[{ti['map_index']}]" if ti["map_index"] >= 0 else ""): ti["state"] for ti in found}

    def wait(self, dag_id, run_id, timeout):
        """Wait for the run's end; the run."""

        def ended():
            run = self.run(dag_id, run_id)
            return run if run["state"] in FINISHED else None

        return self.until(ended, timeout)

    def results(self, url):
        """What `windtunnel results` says of a run, asked where the credentials are."""
        return json.loads(self.inside("trainer", "python", "-m", "windtunnel", "results", url, "--json"))

    def until(self, ask, timeout):
        """Ask until the answer is true; the answer. A server that is away for a while is asked again."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError, KeyError, ValueError):
                if answer := ask():
                    return answer
            time.sleep(0.5)
        raise TimeoutError(f"nothing came within {timeout} s\n{self.compose('ps', check=False)}")

    def _get(self, path, **params):
        reply = self.client.get(path, params=params)
        return reply.json() if reply.status_code == 200 else None
