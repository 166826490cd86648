"""Replies that no browser can be talked into misusing."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


def json_reply(request: Request, content: bytes, version: str) -> Response:
    """Compressed JSON, or nothing where the browser has this version."""
    etag = f'W/"{version}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers | {"Content-Encoding": "gzip"})


def download(store: Store, path: str, name: str) -> Response:
    """An object of a store as a file to save, streamed.

    Raises:
        NotFoundError: there is no such object.
    """
    store.stat(path)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Encoding": "identity",
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(_chunks(store, path), media_type="application/octet-stream", headers=headers)


def _chunks(store: Store, path: str) -> Iterator[bytes]:
    """The object piece by piece: from where it lies, or by way of a temporary file."""
    folder = tempfile.mkdtemp(prefix="windtunnel-")
    try:
        file = store.local_file(path)
        if file is None:
            file = Path(folder) / "object"
            store.download(path, file)
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                yield chunk
    finally:
        shutil.rmtree(folder, ignore_errors=True)
