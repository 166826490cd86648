"""A proxy before Azurite that refuses the requests a test names: `with refusing(server) as proxy: proxy.refuse(…)`."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.azurite import Azurite

Wanted = Callable[[str, str], bool]
_OWN = {"connection", "keep-alive", "transfer-encoding", "host"}  # headers of one connection, not of the request


class Proxy:
    """Passes requests on unless they are to be refused.

    Attributes:
        connection_string: for clients: the server's account at the proxy's address.
        refused: method and path of each request that was refused.
    """

    def __init__(self, server: Azurite) -> None:
        """A proxy on a free port that does not serve yet."""
        self.refused: list[tuple[str, str]] = []
        self._rules: list[tuple[int, str, Wanted]] = []
        address = urlsplit(server.url).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                refusal = proxy._refusal(self.command, self.path)
                if refusal is not None:
                    status, code = refusal
                    self._answer(status, {"x-ms-error-code": code}, b"")
                    return
                onward = http.client.HTTPConnection(address, timeout=60)
                headers = {key: value for key, value in self.headers.items() if key.lower() not in _OWN}
                onward.request(self.command, self.path, body, headers)
                answer = onward.getresponse()
                self._answer(answer.status, dict(answer.getheaders()), answer.read())
                onward.close()

            do_GET = do_HEAD = do_PUT = do_DELETE = _pass_on  # noqa: N815

            def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for key, value in headers.items():
                    if key.lower() not in _OWN and (key.lower() != "content-length" or self.command == "HEAD"):
                        self.send_header(key, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        here = f"127.0.0.1:{self._http.server_port}"
        self.connection_string = server.connection_string.replace(address, here)

    def refuse(self, status: int, code: str, wanted: Wanted) -> None:
        """Answer the requests that `wanted(method, path)` picks with an error from now on."""
        self._rules.append((status, code, wanted))

    def relent(self) -> None:
        """Pass everything on again."""
        self._rules = []

    def serve(self) -> None:
        """Serve until `close`."""
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._http.shutdown()
        self._http.server_close()

    def _refusal(self, method: str, path: str) -> tuple[int, str] | None:
        for status, code, wanted in self._rules:
            if wanted(method, path):
                self.refused.append((method, path))
                return status, code
        return None


@contextmanager
def refusing(server: Azurite) -> Iterator[Proxy]:
    """A proxy that serves, before a running server."""
    proxy = Proxy(server)
    proxy.serve()
    try:
        yield proxy
    finally:
        proxy.close()
