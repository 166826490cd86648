"""Which ledgers beside its own a run may read: another run's trials are taken up only from places that are trusted."""

import os
from collections.abc import Collection

from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger
from windtunnel.ledger.url import parts_of
from windtunnel.stores.base import is_name

STORES_VARIABLE = "WINDTUNNEL_STORES"


def open_source(url: str, ledger: Ledger, field: str, named: Collection[str] = ()) -> Ledger:
    """The ledger of an earlier run, if a run may read it: in its own store, or in one that the deployment lists.

    Stores are compared as places: by their real paths, or by their containers and prefixes. `$WINDTUNNEL_STORES` lists
    those that are trusted, with commas between them.

    Args:
        url: of the earlier run, as a person or a ledger gave it.
        ledger: of the run that is to read it.
        field: that the URL stands in, for an error's message.
        named: URLs that may be read wherever they lead: the definition's file gives them.

    Raises:
        LedgerError: it is no URL of a run, or in none of these stores.
    """
    if url in named:
        return Ledger.open(url)
    parts = parts_of(url)
    place = parts and _place(parts[0])
    if parts is None or not all(map(is_name, parts[1:])):
        raise LedgerError(f"{field}: {url!r} is no run: give <store>/<search>/<run>")
    if parts[0].rstrip("/") == ledger.store.url or (place is not None and place == _place(ledger.store.url)):
        return Ledger(ledger.store, *parts[1:])
    for store in _listed():
        if place is not None and place == _place(store):
            return Ledger.open(f"{store.rstrip('/')}/{parts[1]}/{parts[2]}")
    raise LedgerError(
        f"{field}: {url!r} is not in {ledger.store.url}, the search's own store; list its store in ${STORES_VARIABLE} "
        "where Airflow and the jobs run, or name the run in the definition's file"
    )


def _listed() -> list[str]:
    return [store.strip() for store in os.environ.get(STORES_VARIABLE, "").split(",") if store.strip()]


def _place(store: str) -> tuple[str, str] | None:
    """What a store's URL leads to: its scheme, and the real path or container and prefix; None where it may lead away.

    A URL of Azure's is compared letter by letter, so that nothing in it may mean another place than it says.
    """
    scheme, separator, rest = store.partition("://")
    if not separator or scheme == "file":
        path = rest if separator else store
        return ("file", os.path.realpath(os.path.expanduser(path))) if path.isprintable() and path else None  # noqa: PTH111
    rest = rest.rstrip("/")
    is_plain = rest.isascii() and all(map(is_name, rest.split("/"))) and not set(rest) & set("%?#@ ")
    return (scheme, rest) if is_plain else None
