"""Prepares the k3s of docker-compose.yaml for launching, each time the stack is started.

Makes the namespace, the role of role.yaml beside this file and the storage secret, and writes the kubeconfig that
Airflow acts with: the role's, not the administrator's. Run in Airflow's image, by the service `k3s-setup`:

    python k3s_setup.py ADMIN-KUBECONFIG SERVER KUBECONFIG

Takes the storage's connection string from AZURE_STORAGE_CONNECTION_STRING. Pods do not resolve the names of Compose's
services, so a service's name in it becomes that service's address of now.
"""

import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config, utils

NAMESPACE = "windtunnel"
ACCOUNT = "windtunnel-launcher"
SECRET = "windtunnel-storage"  # the name that include/pod_template.yaml has
_YEAR = 365 * 24 * 3600


def main(admin: str, server: str, kubeconfig: str) -> None:
    """Do it all; what is there already is replaced."""
    cluster = yaml.safe_load(Path(admin).read_text())["clusters"][0]["cluster"] | {"server": server}
    api = config.new_client_from_config(admin)
    api.configuration.host = server
    core = client.CoreV1Api(api)
    _once(core.create_namespace, {"metadata": {"name": NAMESPACE}})
    for part in yaml.safe_load_all((Path(__file__).parent / "role.yaml").read_text()):
        _once(utils.create_from_dict, api, part, namespace=NAMESPACE)
    secret = {"metadata": {"name": SECRET}, "stringData": {"AZURE_STORAGE_CONNECTION_STRING": _reachable()}}
    if not _once(core.create_namespaced_secret, NAMESPACE, secret):
        core.replace_namespaced_secret(SECRET, NAMESPACE, secret)
    token = core.create_namespaced_service_account_token(
        ACCOUNT, NAMESPACE, {"spec": {"expirationSeconds": _YEAR}}
    ).status.token
    _write(Path(kubeconfig), cluster, token)


def _once(create: Callable[..., Any], *arguments: Any, **where: Any) -> bool:
    """Create an object unless it is there; whether it was created."""
    try:
        create(*arguments, **where)
    except utils.FailToCreateError as error:
        if any(each.status != 409 for each in error.api_exceptions):
            raise
        return False
    except client.ApiException as error:
        if error.status != 409:
            raise
        return False
    return True


def _reachable() -> str:
    """The connection string, with addresses for the names of Compose's services."""

    def address(found: re.Match[str]) -> str:
        return f"{found[1]}{socket.gethostbyname(found[2])}"

    given = os.environ["AZURE_STORAGE_CONNECTION_STRING"]
    return re.sub(r"(BlobEndpoint=https?://)([A-Za-z0-9-]+)(?=[:/])", address, given)


def _write(file: Path, cluster: dict[str, Any], token: str) -> None:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": ACCOUNT,
        "clusters": [{"name": "k3s", "cluster": cluster}],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": ACCOUNT, "context": {"cluster": "k3s", "user": ACCOUNT, "namespace": NAMESPACE}}],
    }
    file.write_text(yaml.safe_dump(content))
    os.chown(file, 50000, 0)
    file.chmod(0o600)


if __name__ == "__main__":
    main(*sys.argv[1:])
