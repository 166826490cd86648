"""Which run of a search a command works on: the one that was cut short, the last one, or a new one."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from windtunnel.definition import Definition
from windtunnel.errors import LedgerError, NotFoundError, UnreadableError
from windtunnel.ledger import Ledger
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.reading import read_object
from windtunnel.stages.ending import is_outgrown
from windtunnel.stores import Store
from windtunnel.stores.local import LocalStore

Choice = Literal["new", "resumed", "extended"]


def choose(
    store: Store,
    definition: Definition,
    *,
    fresh: bool = False,
    extend: bool = False,
    resume: str | None = None,
) -> tuple[Ledger, Choice]:
    """The run to work on; from now on it is the search's current one.

    Args:
        store: where the search's ledgers live.
        definition: of the search.
        fresh: begin a new run, whatever there is.
        extend: go on with the last run, even if it is finished.
        resume: name or URL of the run to go on with, whichever it is.

    Raises:
        LedgerError: there is no such run to go on with.
    """
    search = definition.name
    last = _named(store, search, resume) if resume else _current(store, search)
    new = last is None or (not resume and (fresh or (finished(last, definition) and not extend)))
    run = Ledger(store, search, _name()) if last is None or new else last
    if new or resume:
        store.put(_pointer(search), json.dumps({"run": run.run}).encode() + b"\n")
    return run, "new" if new else "extended" if finished(run, definition) else "resumed"


def finished(ledger: Ledger, definition: Definition) -> bool:
    """Whether nothing is left to go on with: the last session has ended well, or the search was hopeless.

    One is hopeless no longer whose definition has a higher limit now.
    """
    sessions = ledger.sessions()
    if sessions and ledger.closed(sessions[-1].session):
        return True
    known = ledger.known(str(ledger.iterations_done()))
    hopeless = known.failure if known is not None else None
    return hopeless is not None and not (sessions and is_outgrown(hopeless, sessions[-1], definition))


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


def _named(store: Store, search: str, run: str) -> Ledger:
    """The run of this name, or that this URL leads to."""
    ledger = Ledger(store, search, run.rstrip("/").rpartition("/")[2])
    if ledger.read_json("search.json") is None or ("/" in run and run.rstrip("/") != ledger.url):
        raise LedgerError(f"resume: found {run!r}; allowed: a run of {search} in {store.url}, where there is none such")
    return ledger


def _pointer(search: str) -> str:
    return f"{safe_name(search)}/current.json"
