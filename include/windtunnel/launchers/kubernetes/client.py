"""The few requests that launching needs, on plain objects: fields that are newer than the client library pass through.

They are all that `deploy/role.yaml` allows.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from windtunnel.errors import LaunchError, RefusedError
from windtunnel.launchers.kubernetes.connection import connect

Object = dict[str, Any]

_PATIENCE = 180.0  # seconds that an API server may be away: it is restarted while searches run
_TIMEOUT = (5, 60)  # seconds to connect, and between two bytes
_PASSING = (429, 500, 502, 503, 504)  # answers of a server that is busy or restarting


class Client:
    """Jobs and pods of one namespace."""

    def __init__(self, namespace: str | None = None) -> None:
        """Connect.

        Args:
            namespace: of the jobs; by default the connection's.

        Raises:
            LaunchError: no cluster is known.
        """
        from kubernetes import client

        api, own_namespace = connect()
        self.namespace = namespace or own_namespace
        self._batch = client.BatchV1Api(api)
        self._core = client.CoreV1Api(api)

    def create_job(self, manifest: Object) -> bool:
        """Create a Job; False if there is one of that name.

        Raises:
            RefusedError: the cluster will never take it as it is.
            LaunchError: it cannot take it now.
        """
        return self._ask(self._batch.create_namespaced_job, body=manifest, accept=(409,)) is not None

    def job(self, name: str) -> Object | None:
        """The Job of that name, if there is one."""
        job: Object | None = self._ask(self._batch.read_namespaced_job, name=name, accept=(404,))
        return job

    def jobs(self, selector: str, fields: str = "") -> list[Object]:
        """Jobs with these labels."""
        return self._list(self._batch.list_namespaced_job, label_selector=selector, field_selector=fields)

    def pods(self, selector: str, fields: str = "") -> list[Object]:
        """Pods with these labels."""
        return self._list(self._core.list_namespaced_pod, label_selector=selector, field_selector=fields)

    def events(self, fields: str) -> list[Object]:
        """Events that the field selector chooses, the latest last."""
        events = self._list(self._core.list_namespaced_event, field_selector=fields)
        return sorted(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")

    def delete_jobs(self, selector: str) -> None:
        """Delete the Jobs with these labels; the cluster ends and deletes their pods."""
        options = {"propagationPolicy": "Background"}
        self._ask(self._batch.delete_collection_namespaced_job, label_selector=selector, body=options)

    def delete_job(self, job: Object) -> None:
        """Delete this very Job, and not another one that has its name meanwhile."""
        metadata = job["metadata"]
        options = {"propagationPolicy": "Background", "preconditions": {"uid": metadata["uid"]}}
        self._ask(self._batch.delete_namespaced_job, name=metadata["name"], body=options, accept=(404, 409))

    def log_tail(self, pod: str, container: str, size: int) -> str:
        """The last bytes of what a container wrote; nothing where its node cannot tell any more."""
        try:
            return self._send(
                self._core.read_namespaced_pod_log, name=pod, container=container, tail_lines=100, _request_timeout=5
            ).decode(errors="replace")[-size:]
        except Exception:  # a log is evidence, and no reason to fail
            return ""

    def _list(self, function: Callable[..., Any], **options: Any) -> list[Object]:
        listing = self._ask(function, **{name: value for name, value in options.items() if value})
        return list(listing["items"]) if listing else []

    def _ask(self, function: Callable[..., Any], accept: tuple[int, ...] = (), **options: Any) -> Any:
        """Send a request until the server answers; None for an answer that is to be accepted."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        deadline, pause = time.monotonic() + _PATIENCE, 0.5
        while True:
            try:
                return json.loads(self._send(function, **options))
            except ApiException as error:
                if error.status in accept:
                    return None
                if error.status not in _PASSING or time.monotonic() > deadline:
                    raise self._explained(error) from error
            except HTTPError as error:
                if time.monotonic() > deadline:
                    raise LaunchError(f"the cluster does not answer: {error}") from error
            time.sleep(pause)
            pause = min(2 * pause, 10.0)

    def _send(self, function: Callable[..., Any], **options: Any) -> bytes:
        options = {"_request_timeout": _TIMEOUT, "namespace": self.namespace, **options}
        return bytes(function(_preload_content=False, **options).data)

    def _explained(self, error: Any) -> LaunchError:
        try:
            message = json.loads(error.body)["message"]
        except (TypeError, ValueError, KeyError):
            message = str(error.reason)
        if "exceeded quota" in message:
            return LaunchError(f"the namespace's quota is used up: {message}", kind="quota")
        if error.status in (400, 422):
            return RefusedError(f"the cluster refuses the job; mend pod_template or resources: {message}")
        if error.status in (401, 403):
            return RefusedError(
                f"the cluster forbids it; see deploy/role.yaml for what Airflow's account needs: {message}"
            )
        return LaunchError(f"the cluster answers {error.status}: {message}")
