"""The guard around the API server, without a server: which hosts and pages it lets through."""

import asyncio

import pytest

from windtunnel_airflow.environment import HOSTS, airflow_environment
from windtunnel_airflow.hosts import OnlyOwnHosts
from windtunnel_airflow.plugin import WindtunnelPlugin

OWN = "localhost:8080"


def status(*headers, kind="http", method="GET"):
    """What is answered to a request with these headers: its status; 200 where it is let through."""
    sent = []

    async def inner(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "method": method, "path": "/", "extensions": {"websocket.http.response": {}}}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers]
    asyncio.run(OnlyOwnHosts(inner, [OWN, "[::1]:8080"])(scope, None, send))
    return sent[0]["status"]


def test_own_hosts_pass_with_and_without_a_page():
    assert status(("host", OWN)) == 200
    assert status(("host", "LocalHost:8080"), ("origin", f"http://{OWN}")) == 200
    assert status(("host", "[::1]:8080"), ("origin", "http://[::1]:8080")) == 200
    assert status(("host", OWN), ("origin", f"https://{OWN}")) == 200  # behind a proxy that speaks TLS


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_others_are_refused_whatever_they_ask(kind, method):
    assert status(("host", "evil.example"), kind=kind, method=method) == 403
    assert status(("host", OWN), ("origin", "http://evil.example"), kind=kind, method=method) == 403


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("host", "")],
        [("host", "localhost")],
        [("host", "localhost:80801")],
        [("host", f"{OWN}@evil.example")],
        [("host", f"evil.example, {OWN}")],
        [("host", OWN), ("host", "evil.example")],
        [("host", OWN), ("origin", "null")],
        [("host", OWN), ("origin", "")],
        [("host", OWN), ("origin", OWN)],
        [("host", OWN), ("origin", f"http://{OWN}.evil.example")],
        [("host", OWN), ("origin", f"http://{OWN}"), ("origin", "http://evil.example")],
        [("host", OWN), ("origin", f"file://{OWN}")],
        [("x-forwarded-host", OWN), ("host", "evil.example")],
    ],
)
def test_what_only_looks_like_an_own_host_is_refused(headers):
    assert status(*headers) == 403


def test_the_plugin_guards_where_hosts_are_named(monkeypatch, tmp_path):
    monkeypatch.delenv(HOSTS, raising=False)
    assert WindtunnelPlugin().fastapi_root_middlewares == []
    monkeypatch.setenv(HOSTS, airflow_environment(tmp_path, tmp_path, port=8081)[HOSTS])
    (guard,) = WindtunnelPlugin().fastapi_root_middlewares
    assert guard["middleware"] is OnlyOwnHosts
    assert guard["kwargs"]["hosts"] == ["localhost:8081", "127.0.0.1:8081", "[::1]:8081"]


def test_nobody_is_an_admin_without_a_password(tmp_path):
    settings = airflow_environment(tmp_path, tmp_path)
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in settings
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
