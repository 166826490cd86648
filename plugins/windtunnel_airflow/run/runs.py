"""Which run of a search a command works on: the one that was cut short, the last one, or a new one."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from windtunnel.errors import NotFoundError, UnreadableError
from windtunnel.ledger import Ledger
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.reading import read_object
from windtunnel.stores import Store
from windtunnel.stores.local import LocalStore

Choice = Literal["new", "resumed", "extended"]


def choose(store: Store, search: str, *, fresh: bool = False, extend: bool = False) -> tuple[Ledger, Choice]:
    """The run to work on; from now on it is the search's current one.

    Args:
        store: where the search's ledgers live.
        search: its name.
        fresh: begin a new run, whatever there is.
        extend: go on with the last run, even if it is finished.
    """
    last = _current(store, search)
    if fresh or last is None or (finished(last) and not extend):
        name = _name()
        store.put(_pointer(search), json.dumps({"run": name}).encode() + b"\n")
        return Ledger(store, search, name), "new"
    return last, "extended" if finished(last) else "resumed"


def finished(ledger: Ledger) -> bool:
    """Whether nothing is left to go on with: the last session has ended well, or the search was hopeless."""
    sessions = ledger.sessions()
    if sessions and ledger.closed(sessions[-1].session):
        return True
    known = ledger.known(str(ledger.iterations_done()))
    return known is not None and known.failure is not None


def link_latest(ledger: Ledger) -> Path | None:
    """Let `<store>/latest` lead to the run; None where the store is no folder.

    Returns:
        The run's folder by that link.
    """
    if not isinstance(ledger.store, LocalStore):
        return None
    link = ledger.store.folder / "latest"
    fresh = link.with_name(f".latest.{os.getpid()}")
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(ledger.root, target_is_directory=True)
    fresh.replace(link)
    return link


def _name() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")


def _current(store: Store, search: str) -> Ledger | None:
    """The run that the search's pointer names.

    Raises:
        UnreadableError: the pointer names none.
    """
    try:
        name = read_object(store, _pointer(search)).get("run")
    except NotFoundError:
        return None
    except UnreadableError:
        name = None
    if not isinstance(name, str) or not name:
        raise UnreadableError(
            f'{store.url}/{_pointer(search)} does not name the current run: write {{"run": "its folder\'s name"}} '
            "into it, or delete it to begin a new run"
        )
    return Ledger(store, search, name)


def _pointer(search: str) -> str:
    return f"{safe_name(search)}/current.json"
