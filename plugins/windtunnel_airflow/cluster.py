"""The way to the cluster, by the hook of Airflow's Kubernetes provider.

The connection `$WINDTUNNEL_KUBERNETES_CONNECTION`, by default `kubernetes_default`, names a kubeconfig or holds one;
without such a connection it is the cluster that Airflow runs in, or else that of `$KUBECONFIG`.
"""

import os
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from windtunnel.errors import LaunchError
from windtunnel.launchers.kubernetes.connection import Connection, connect_with, kubeconfig_namespace, pod_namespace

VARIABLE = "WINDTUNNEL_KUBERNETES_CONNECTION"
DEFAULT = "kubernetes_default"


def use_cluster() -> None:
    """Let this process reach the cluster as the connection says; nothing is looked up before it is needed."""
    connect_with(_connect)


async def use_cluster_async() -> None:
    """As `use_cluster`, for triggers: a connection can be asked for by their event loop only, so it is at once."""
    name = _name()
    try:
        extra = (await BaseHook.aget_connection(name)).extra_dejson
    except AirflowNotFoundException:
        if name != DEFAULT:
            raise
        extra = {}
    connect_with(lambda: _connect(extra))


def _connect(extra: dict[str, Any] | None = None) -> Connection:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from kubernetes.config import ConfigException

    hook = KubernetesHook(conn_id=_name())
    if extra is not None:
        hook.conn_extras = extra  # what the hook would ask Airflow for
    try:
        client = hook.get_conn()
    except ConfigException as error:
        raise LaunchError(f"Airflow's connection {_name()} leads to no cluster: {error}") from error
    return client, hook.get_namespace() or _namespace(hook)


def _namespace(hook: Any) -> str:
    if hook.is_in_cluster:
        return pod_namespace()
    file = hook.conn_extras.get("kube_config_path") or os.environ.get("KUBECONFIG")
    return kubeconfig_namespace(file) if "kube_config" not in hook.conn_extras else "default"


def _name() -> str:
    return os.environ.get(VARIABLE) or DEFAULT
