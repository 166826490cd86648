"""Listing blobs with their metadata, 5,000 a request.

The client's own listing spends ten times as long as the server on turning the answer into its models, so the answer is
read here; asking, signing and asking again are the client's.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from windtunnel.stores.base import Entry

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

WRITE = "windtunnel_write"
"""The one piece of metadata that is the store's own, told to nobody: it marks a conditional write as this very one."""

_PAGE = 5000  # the most that Azure gives at once


def list_blobs(client: "ContainerClient", base: str, prefix: str) -> Iterator[Entry]:
    """All blobs whose names begin with `base` and `prefix`, in order, named without the `base`.

    Raises:
        AzureError: as the client's own `list_blobs`.
    """
    marker = ""
    while True:
        answer = _ask(client, base + prefix, marker)
        if answer is None:  # no listing: the client knows the error to raise
            next(iter(client.list_blobs(name_starts_with=base + prefix)), None)
            continue
        for blob in answer.iterfind("Blobs/Blob"):
            yield _entry(blob, len(base))
        marker = answer.findtext("NextMarker") or ""
        if not marker:
            return


def _ask(client: "ContainerClient", prefix: str, marker: str) -> ElementTree.Element | None:
    from azure.core.pipeline.transport import HttpRequest

    fields = {"restype": "container", "comp": "list", "include": "metadata", "maxresults": _PAGE, "prefix": prefix}
    query = urlencode(fields | ({"marker": marker} if marker else {}), quote_via=quote)
    request = HttpRequest("GET", f"{client.url}{'&' if '?' in client.url else '?'}{query}")
    request.headers["x-ms-version"] = client.api_version
    response = client._pipeline.run(request).http_response
    # The answer is the account's own, over its own connection: no foreign XML.
    return ElementTree.fromstring(response.body()) if response.status_code == 200 else None  # noqa: S314


def _entry(blob: ElementTree.Element, base: int) -> Entry:
    properties: Any = blob.find("Properties")
    return Entry(
        path=(blob.findtext("Name") or "")[base:],
        size=int(properties.findtext("Content-Length")),
        modified=_moment(properties.findtext("Last-Modified")),
        etag=properties.findtext("Etag").strip('"'),
        metadata={entry.tag: entry.text or "" for entry in blob.iterfind("Metadata/*") if entry.tag != WRITE},
    )


@lru_cache(maxsize=1024)
def _moment(text: str) -> datetime:
    return parsedate_to_datetime(text)
