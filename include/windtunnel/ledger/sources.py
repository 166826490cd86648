"""Which runs may be meant by what a person gives: to be gone on with, or to be read because their place is trusted."""

import difflib
import os
from collections.abc import Collection

from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger
from windtunnel.ledger.url import name_of, parts_of
from windtunnel.stores import Store
from windtunnel.stores.base import is_name

_SHOWN = 3  # runs that are named where there is none of a name
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
    if parts is None or not all(map(is_name, parts[1:])):
        raise LedgerError(f"{field}: {url!r} is no run: give <store>/<search>/<run>")
    if _same_place(parts[0], ledger.store.url):
        return Ledger(ledger.store, *parts[1:])
    for store in _listed():
        if _place(store) is not None and _same_place(parts[0], store):
            return Ledger.open(f"{store.rstrip('/')}/{parts[1]}/{parts[2]}")
    raise LedgerError(
        f"{field}: {url!r} is not in {ledger.store.url}, the search's own store; list its store in ${STORES_VARIABLE} "
        "where Airflow and the jobs run, or name the run in the definition's file"
    )


def open_own(run: str, store: Store, search: str) -> Ledger:
    """A run of a search to go on with, begun or not.

    Args:
        run: its name, or its URL, which must be of the search's own store.
        store: where the search's ledgers live.
        search: its name.

    Raises:
        LedgerError: the URL is of another search or store, or of none.
    """
    ledger = Ledger(store, search, name_of(run))
    if "/" in run:
        parts = parts_of(run)
        own = parts is not None and is_name(parts[2]) and parts[1] == ledger.root.partition("/")[0]
        if parts is None or not own or not _same_place(parts[0], store.url):
            place = f"{store.url.rstrip('/')}/{search}"
            raise LedgerError(f"resume: {run!r} is no run of {place}: give the name of one, or its URL")
    return ledger


def check_begun(ledger: Ledger) -> None:
    """Nothing, if the run has begun.

    Raises:
        LedgerError: it has not; the message names the search's runs with the most similar names. It takes a listing of
            all that is there of the search.
    """
    if ledger.read_json("search.json") is not None:
        return
    search = ledger.root.partition("/")[0]
    paths = [entry.path.split("/") for entry in ledger.store.list(f"{search}/")]
    runs = [path[1] for path in paths if path[2:] == ["search.json"]]
    place = f"{ledger.store.url.rstrip('/')}/{search}"
    if not runs:
        raise LedgerError(f"resume: there is no run {ledger.run!r}: {place} has none yet; leave resume empty")
    near = difflib.get_close_matches(ledger.run, runs, n=_SHOWN, cutoff=0.0)
    more = f" and {len(runs) - len(near)} more" if len(runs) > len(near) else ""
    raise LedgerError(f"resume: there is no run {ledger.run!r}: {place} has {', '.join(near)}{more}; give one of these")


def _same_place(one: str, other: str) -> bool:
    place = _place(one)
    return one.rstrip("/") == other.rstrip("/") or (place is not None and place == _place(other))


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
