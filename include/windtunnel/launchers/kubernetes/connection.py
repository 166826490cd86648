"""How the cluster is reached: as Airflow's connection says, where Airflow launches; else as `kubectl` would."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from windtunnel.errors import LaunchError

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


Connection = tuple[Any, str]
"""A `kubernetes.client.ApiClient`, and the namespace that jobs run in where the definition names none."""


def connect() -> Connection:
    """Reach the cluster that this pod runs in, or else the one of the current kubeconfig.

    Raises:
        LaunchError: there is neither.
    """
    return _connect()


def connect_with(function: Callable[[], Connection]) -> None:
    """Reach the cluster by this function from now on, in this process."""
    global _connect
    _connect = function


def pod_namespace() -> str:
    """The namespace that this process runs in, or `default` outside of a cluster."""
    return _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.is_file() else "default"


def kubeconfig_namespace(file: str | None) -> str:
    """The namespace of a kubeconfig's current context; without a file, of the default one's."""
    from kubernetes import config

    _, context = config.list_kube_config_contexts(file)
    return str(context["context"].get("namespace", "default"))


def _as_kubectl_would() -> Connection:
    from kubernetes import client, config

    try:
        config.load_incluster_config()
        return client.ApiClient(), pod_namespace()
    except config.ConfigException:
        pass
    file = os.environ.get("KUBECONFIG")  # the library remembers what it was when it was imported
    try:
        return config.new_client_from_config(file), kubeconfig_namespace(file)
    except config.ConfigException as error:
        message = f"no cluster is known: this is no pod, and there is no kubeconfig ({error}); set KUBECONFIG"
        raise LaunchError(message) from error


_connect: Callable[[], Connection] = _as_kubectl_would
