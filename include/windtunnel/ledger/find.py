"""From what a person types to the run that is meant."""

import os
from pathlib import Path

from windtunnel.errors import LedgerError
from windtunnel.ledger.ledger import Ledger
from windtunnel.ledger.url import LATEST, is_run
from windtunnel.stores import open_store
from windtunnel.stores.base import is_name

_FORMS = f"give <store>/<search>/<run>, its folder, or <store>/<search>/{LATEST}"


def find_run(url: str) -> Ledger:
    """The run at a URL or folder, which has begun.

    Args:
        url: `<store>/<search>/<run>`. `latest` in place of the run, or of search and run, means the one that began
            last, which costs a listing of all that is there. `latest` alone looks in `$WINDTUNNEL_STORE`, else in
            `runs`.

    Raises:
        LedgerError: no run is there, or it is of a newer format than this version reads.
        StoreError: the URL names no store, or the store cannot be reached.
    """
    place, _, name = (url if "://" in url else _absolute(url)).rstrip("/").rpartition("/")
    if name == LATEST:
        ledger = _last_below(place)
    else:
        ledger = Ledger.open(f"{place}/{name}") if is_run(f"{place}/{name}") else None
    if ledger is None or ledger.begun() is None:
        raise LedgerError(f"URL: there is no run at {url}: {_FORMS}")
    return ledger


def _absolute(folder: str) -> str:
    """The folder by its real store, which a person may have linked; `latest` of a store leads to a run in it.

    Raises:
        LedgerError: `latest` leads out of the store, or the run's or the search's folder is a link: within a store no
            other is followed.
    """
    if folder == LATEST:
        store = os.environ.get("WINDTUNNEL_STORE", "runs")
        folder = f"{store.rstrip('/')}/{LATEST}"
    if "://" in folder:
        return folder
    path = Path(folder).expanduser().absolute()
    if path.name == LATEST and path.is_symlink():
        run = str(path.readlink())
        if run.count("/") != 1 or not all(map(is_name, run.split("/"))):
            raise LedgerError(f"URL: {folder} leads to {run}, which is no run in {path.parent}: {_FORMS}")
        return str(path.parent.resolve() / run)
    link = next((part for part in (path, path.parent) if part.is_symlink()), None)
    if link is not None and path.name != LATEST:
        raise LedgerError(f"URL: {link} is a link, and is not followed; give the folder itself: {link.resolve()}")
    return str(path.resolve())


def _last_below(place: str) -> Ledger | None:
    """The run below a store or a search that began last; None below the root of all folders."""
    if not place:
        return None
    entries = [entry for entry in open_store(place).list() if entry.path.endswith("/search.json")]
    runs = [entry for entry in entries if entry.path.count("/") <= 2]
    if not runs:
        return None
    last = max(runs, key=lambda entry: entry.modified)
    return Ledger.open(f"{place}/{last.path.removesuffix('/search.json')}")
