"""Refuses requests under a foreign name, and requests that a foreign page sends: the API server of one machine.

Anybody's web page may send requests to this machine, and may give it a name of its own (DNS
rebinding). The browser tells of both, in the headers `Host` and `Origin`.
"""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class OnlyOwnHosts:
    """ASGI middleware: every request names an allowed host, and comes from a page of one, or from no page."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """Guard an application.

        Args:
            app: what is guarded, with all that is mounted in it.
            hosts: the allowed ones, as the browser's address bar shows them: `localhost:8080`.
        """
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(f"{scheme}://{host}" for host in self._hosts for scheme in ("http", "https"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] in ("http", "websocket") and (refusal := self._refusal(Headers(scope=scope))):
            await PlainTextResponse(refusal, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> str | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return f"This server answers to these names only: {', '.join(sorted(self._hosts))}\n"
        if any(origin.lower() not in self._origins for origin in headers.getlist("origin")):
            return "A page of another server sent this request\n"
        return None
