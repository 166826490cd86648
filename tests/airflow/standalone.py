"""A whole Airflow on this machine, with its real scheduler: started on free ports, driven through the REST API."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from windtunnel_airflow.environment import airflow_environment
from windtunnel_airflow.home import USER, password, private_home

ROOT = Path(__file__).parents[2]
FINISHED = ("success", "failed")


class Standalone:
    """What `make ui` starts, in a process group of its own."""

    def __init__(self, home, dags_folder, store):
        self.home = home
        (port,) = free_ports(1)
        self.address = f"http://localhost:{port}"
        self.environment = os.environ | airflow_environment(home, dags_folder, store=store, port=port)
        paths = [ROOT / "plugins", ROOT / "include", ROOT, os.environ.get("PYTHONPATH", "")]
        self.environment["PYTHONPATH"] = os.pathsep.join(str(path) for path in paths if str(path) != ".")
        self.environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def __enter__(self):
        private_home(self.home)
        login = {"username": USER, "password": password(self.home)}
        self.log = (self.home / "standalone.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "windtunnel_airflow.standalone"],
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        self.client = httpx.Client(base_url=self.address, timeout=30)
        try:
            self.until(self._is_healthy, 300, "Airflow is not healthy")
        except BaseException:
            self.__exit__()
            raise
        token = self.client.post("/auth/token", json=login).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(self, *_):
        self.client.close()
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def trigger(self, dag_id, **conf):
        """Trigger the DAG as soon as it is there; the new run's id."""

        def ask():
            reply = self.client.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
            return reply.json()["dag_run_id"] if reply.status_code == 200 else None

        return self.until(ask, 60, f"{dag_id} cannot be triggered")

    def state(self, dag_id, run_id):
        return self.client.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").json()["state"]

    def wait(self, dag_id, run_id, timeout, pause=0.3):
        """Wait for the run's end, asking after pauses; its state."""

        def ended():
            state = self.state(dag_id, run_id)
            return state if state in FINISHED else None

        return self.until(ended, timeout, f"{dag_id} {run_id} does not end", pause)

    def tasks(self, dag_id, run_id):
        """All task instances of a run: `{"finalists": {...}, "iteration_1.train.launch[0]": {...}}`."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found, total = [], 1
        while len(found) < total:
            reply = self.client.get(path, params={"limit": 100, "offset": len(found)}).json()
            total = reply["total_entries"]
            found += reply["task_instances"]
        return {ti["task_id"] + (f"[{ti['map_index']}]" if ti["map_index"] >= 0 else ""): ti for ti in found}

    def import_errors(self):
        return self.client.get("/api/v2/importErrors").json()["import_errors"]

    def until(self, ask, timeout, complaint, pause=0.3):
        """Ask until the answer is true; the answer."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"Airflow has ended; its log ends:\n{self._tail()}"
            with contextlib.suppress(httpx.TransportError):
                if answer := ask():
                    return answer
            time.sleep(pause)
        raise TimeoutError(f"{complaint} after {timeout} s; see {self.home}/standalone.log")

    def _tail(self):
        return "\n".join((self.home / "standalone.log").read_text(errors="replace").splitlines()[-150:])

    def _is_healthy(self):
        reply = self.client.get("/api/v2/monitor/health")
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return reply.status_code == 200 and all(reply.json()[part]["status"] == "healthy" for part in parts)


def free_ports(number):
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports
