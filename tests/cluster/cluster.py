"""A real cluster for tests: a namespace of their own, Windtunnel's role, and pods that see this machine's files."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import yaml

from windtunnel.launchers.kubernetes.manifest import selector

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "deploy" / "role.yaml"
IMAGE = os.environ.get("WINDTUNNEL_TEST_IMAGE", "local/debian:1")


def kubeconfig() -> str | None:
    """The kubeconfig of the cluster to test on: $KUBECONFIG, or of the one that $WINDTUNNEL_CLUSTER can start."""
    tool = os.environ.get("WINDTUNNEL_CLUSTER")
    if os.environ.get("KUBECONFIG"):
        return os.environ["KUBECONFIG"]
    if not tool:
        return None
    file = Path(tool) / "cluster" if Path(tool).is_dir() else Path(tool)
    return subprocess.run([file, "up"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Cluster:
    """A namespace, with the least that launching needs: what the launcher under test acts as.

    Attributes:
        namespace: its name.
        kubeconfig: of the account `windtunnel-launcher`, which may do what deploy/role.yaml says.
        core, batch: the administrator's APIs, for the tests' own doings.
    """

    def __init__(self, admin: str):
        from kubernetes import client, config

        self.admin = config.new_client_from_config(admin)
        self.core, self.batch = client.CoreV1Api(self.admin), client.BatchV1Api(self.admin)
        self.namespace = f"windtunnel-test-{uuid.uuid4().hex[:6]}"
        self.folder = Path(tempfile.mkdtemp(prefix="windtunnel-cluster-"))
        self.kubeconfig = self.folder / "kubeconfig"

    def __enter__(self):
        from kubernetes import utils

        self.core.create_namespace({"metadata": {"name": self.namespace}})
        utils.create_from_yaml(self.admin, str(ROLE), namespace=self.namespace)
        request = {"spec": {"audiences": None, "expirationSeconds": 6 * 3600}}
        account = ("windtunnel-launcher", self.namespace)
        token = self.core.create_namespaced_service_account_token(*account, request).status.token
        configuration = self.admin.configuration
        authority = Path(configuration.ssl_ca_cert).read_bytes()
        cluster = {"server": configuration.host, "certificate-authority-data": base64.b64encode(authority).decode()}
        context = {"cluster": "test", "user": "launcher", "namespace": self.namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "launcher", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))
        self.kubeconfig.chmod(0o600)
        return self

    def __exit__(self, *_):
        self.core.delete_namespace(self.namespace)

    def template(self, **spec):
        """A pod that sees this machine's files at their places, and its processes, so that tests can look into both."""
        python = Path(sys.executable)
        seen = {str(ROOT), sys.base_prefix, tempfile.gettempdir(), str(python.parents[1])}
        folders = sorted(path for path in seen if not any(path.startswith(f"{other}/") for other in seen))
        container = {
            "name": "trainer",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": [str(python), "-P", "-m", "windtunnel_trainer"],
            "env": [
                {"name": "PYTHONPATH", "value": f"{ROOT}:{ROOT / 'include'}"},
                {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            ],
            "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
            "volumeMounts": [{"name": f"f{n}", "mountPath": folder} for n, folder in enumerate(folders)],
        }
        volumes = [{"name": f"f{n}", "hostPath": {"path": folder}} for n, folder in enumerate(folders)]
        own = {"hostPID": True, "containers": [container], "volumes": volumes, "automountServiceAccountToken": False}
        return {"kind": "Pod", "spec": own | {"terminationGracePeriodSeconds": 15} | spec}

    def pods(self, ledger, job):
        """The pods of a run's job, as plain objects."""
        labels = selector(ledger, job)
        found = self.core.list_namespaced_pod(self.namespace, label_selector=labels, _preload_content=False)
        return json.loads(found.data)["items"]

    def jobs(self):
        """The namespace's Jobs, as plain objects."""
        return json.loads(self.batch.list_namespaced_job(self.namespace, _preload_content=False).data)["items"]

    def nodes_ready(self):
        """Whether any node is ready."""
        conditions = [one for node in self.core.list_node().items for one in node.status.conditions]
        return any(one.type == "Ready" and one.status == "True" for one in conditions)

    def until(self, condition, timeout=300, complaint="it never came"):
        """Ask until the answer is true; the answer."""
        deadline = time.monotonic() + timeout
        while not (answer := condition()):
            assert time.monotonic() < deadline, complaint
            time.sleep(0.2)
        return answer
