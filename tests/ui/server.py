"""A real API server, behind a sub-path, with Airflow's own login; nothing is scheduled."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from tests.airflow.standalone import ROOT, free_ports
from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore
from windtunnel_airflow.environment import airflow_environment

USERS = {"admin": "admin", "viewer": "viewer", "stranger": "viewer"}
PASSWORD = "only for these tests"
SUB_PATH = "/some/airflow"


class Server:
    """`airflow api-server` on a free port, whose database `tests.ui.prepare` has filled."""

    def __init__(self, home: Path, azure: str = "", runs: Sequence[str] = (), **environment: str) -> None:
        port = free_ports(1)[0]
        self.home, self.azure, self.runs, self.store = home, azure, runs, home / "runs"
        self.address = f"http://localhost:{port}{SUB_PATH}"
        passwords = home / "passwords.json"
        self.environment = os.environ | airflow_environment(home, home / "dags", store=self.store, port=port)
        self.environment |= environment | {
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.ui.login.TestAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "plugins", ROOT / "include", ROOT))),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        for folder in ("dags", "searches"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        passwords.write_text(json.dumps(dict.fromkeys(USERS, PASSWORD)))

    def __enter__(self) -> "Server":
        prepare = [sys.executable, "-m", "tests.ui.prepare", str(self.home), self.azure, *self.runs]
        done = subprocess.run(prepare, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        self.log = (self.home / "server.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server", "--workers", "1", "--apps", "core"],
            env=self.environment,
            cwd=ROOT,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        end = time.monotonic() + 300
        while not self._answers():
            assert self.process.poll() is None, (self.home / "server.log").read_text()[-3000:]
            assert time.monotonic() < end, "the API server does not answer"
            time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def ledger(self, run: str, dag: str = "digits_cnn") -> Ledger:
        """The ledger of a run in the local store."""
        return Ledger(LocalStore(self.store), dag, run)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/api/v2/version", timeout=30).status_code == 200
        except httpx.TransportError:
            return False
