"""Replies that no browser can be talked into misusing."""

import hashlib
import re
from collections.abc import Iterator
from io import BufferedReader

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from windtunnel.stores import Store

# Scripts, styles and data from this server only; nothing inline, nothing evaluated, no forms, no frame but Airflow's.
# Plotly puts its pictures into data: and blob: URLs, and styles into attributes, which can run nothing.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_CHUNK = 256 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")  # in a file's name that a header carries


def json_reply(request: Request, content: bytes, version: str) -> Response:
    """Compressed JSON, or nothing where the browser has this version."""
    etag = f'W/"{version}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers | {"Content-Encoding": "gzip"})


def digested(request: Request, content: bytes) -> Response:
    """Compressed JSON that is made anew for each request."""
    return json_reply(request, content, hashlib.sha256(content).hexdigest()[:16])


def download(store: Store, path: str, name: str) -> Response:
    """An object of a store as a file to save, streamed.

    Raises:
        NotFoundError: there is no such object.
    """
    file = store.open(path)
    headers = {
        "Content-Disposition": f'attachment; filename="{_UNSAFE.sub("_", name)}"',
        "Content-Encoding": "identity",
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(_chunks(file), media_type="application/octet-stream", headers=headers)


def _chunks(file: BufferedReader) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
