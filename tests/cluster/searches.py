"""Whole searches by the command of `make run`, their pods on a real cluster, their ledgers in Azurite."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.azurite import azurite
from tests.cluster.cluster import ROOT, Cluster
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

ADDRESS = os.environ.get("WINDTUNNEL_TEST_ADDRESS", "10.244.255.1")  # where pods find this machine
SECRET = "windtunnel-storage"
PATIENCE = 1800


class PodWatch:
    """Follows the namespace's pods by the API server's watch, as the auditor whom nobody under test talks to.

    Attributes:
        most: the most pods that were running at any moment.
        started: how many were.
    """

    def __init__(self, cluster: Cluster):
        self.most = 0
        self._running, self._seen = set(), set()
        self._cluster = cluster
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    @property
    def started(self) -> int:
        return len(self._seen)

    @property
    def running(self) -> list[str]:
        return sorted(self._running)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self._thread.join()

    def _follow(self):
        from kubernetes import watch

        events = watch.Watch()
        while not self._closed.is_set():
            options = {"timeout_seconds": 2}
            for event in events.stream(self._cluster.core.list_namespaced_pod, self._cluster.namespace, **options):
                pod = event["raw_object"]
                self._note(pod["metadata"]["name"], event["type"] != "DELETED" and pod["status"]["phase"] == "Running")

    def _note(self, name, is_running):
        (self._running.add if is_running else self._running.discard)(name)
        self._seen |= self._running
        self.most = max(self.most, len(self._running))


class Searches:
    """Performs definitions in a folder, by pods or by local processes."""

    def __init__(self, folder: Path, cluster: Cluster, connection: str):
        self.folder = folder
        self.cluster = cluster
        self.connection = connection
        template = cluster.template()
        template["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": SECRET}}]
        (folder / "pod_template.yaml").write_text(json.dumps(template))

    def on_the_cluster(self, fields, disturb: Callable[[], None] = lambda: None) -> Ledger:
        """Perform the search by pods; `disturb` is called ten times a second meanwhile."""
        store = f"azure://ledgers/{random.randrange(10**9)}"
        pods = {"launcher": "kubernetes", "pod_template": "pod_template.yaml", "resources": {"gpus": 1, "cpu": 1}}
        variables = {"AZURE_STORAGE_CONNECTION_STRING": self.connection, "KUBECONFIG": str(self.cluster.kubeconfig)}
        return self._perform(fields | pods, store, variables, disturb)

    def here(self, fields) -> Ledger:
        """Perform the search by processes on this machine, with the threads that pods of one core have."""
        limits = fields.get("limits", {}) | {"parallel": 2, "threads": 1}
        return self._perform(fields | {"limits": limits}, str(self.folder / "local"), {}, lambda: None)

    def _perform(self, fields, store, variables, disturb):
        name = fields["name"]
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(fields, sort_keys=False))
        own = {"WINDTUNNEL_STORE": store, "XDG_CACHE_HOME": str(self.folder / "cache")}
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'include'}:{ROOT}"} | own | variables
        command = [sys.executable, "-m", "windtunnel_airflow.run", str(file), "--fresh"]
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None:
                assert time.monotonic() < deadline, f"no end after {PATIENCE} s: {log.read_text()[-3000:]}"
                time.sleep(0.1)
                disturb()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(120)
        assert process.returncode == 0, log.read_text()[-4000:]
        opened = open_store(store, variables)
        (run,) = {entry.path.split("/")[1] for entry in opened.list(f"{name}/") if entry.path.endswith("search.json")}
        return Ledger(opened, name, run)


@contextmanager
def searches_on(cluster: Cluster, folder: Path) -> Iterator[Searches]:
    """Azurite where pods reach it, and the secret that tells them how."""
    with azurite(ADDRESS) as server:
        data = {"AZURE_STORAGE_CONNECTION_STRING": server.connection_string}
        cluster.core.create_namespaced_secret(cluster.namespace, {"metadata": {"name": SECRET}, "stringData": data})
        try:
            yield Searches(folder, cluster, server.connection_string)
        finally:
            cluster.core.delete_namespaced_secret(SECRET, cluster.namespace)
