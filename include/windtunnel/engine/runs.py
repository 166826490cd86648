"""Which run of a search a command works on: the one that was cut short, the last one, or a new one."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from windtunnel.definition import recorded_definition
from windtunnel.errors import NotFoundError, UnreadableError
from windtunnel.fleet.publishing import is_over
from windtunnel.ledger import Ledger
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.reading import read_object
from windtunnel.ledger.sources import check_begun, open_own
from windtunnel.ledger.url import LATEST
from windtunnel.stores import Store
from windtunnel.stores.local import LocalStore

Choice = Literal["new", "resumed", "extended"]


def choose(
    store: Store,
    search: str,
    *,
    fresh: bool = False,
    extend: bool = False,
    resume: str | None = None,
    failed_trials: int | None = None,
) -> tuple[Ledger, Choice]:
    """The run to work on; from now on it is the search's current one.

    Args:
        store: where the search's ledgers live.
        search: its name.
        fresh: begin a new run, whatever there is.
        extend: go on with the last run, even if it is finished.
        resume: name or URL of the run to go on with.
        failed_trials: limit of the search as it is now: a run that was hopeless under a lower one is gone on with.

    Raises:
        LedgerError: there is no such run to resume.
    """
    if resume:
        chosen = open_own(resume, store, search)
        check_begun(chosen)
        _make_current(chosen)
        return chosen, "extended" if finished(chosen, failed_trials) else "resumed"
    last = _current(store, search)
    if fresh or last is None or (finished(last, failed_trials) and not extend):
        new = _new(store, search)
        _make_current(new)
        return new, "new"
    return last, "extended" if finished(last, failed_trials) else "resumed"


def is_current(ledger: Ledger) -> bool:
    """Whether a command has chosen the run last, be it that nothing of it has begun."""
    current = _current(ledger.store, ledger.search)
    return current is not None and current.run == ledger.run


def finished(ledger: Ledger, failed_trials: int | None = None) -> bool:
    """Whether nothing is left to go on with: the last session has ended well, or the search was hopeless.

    A fleet's run is finished once it is published, or has failed for good.

    Args:
        ledger: of the run.
        failed_trials: limit of the search as it is now, if it may have been raised since.
    """
    sessions = ledger.sessions()
    if not sessions or is_over(ledger):
        return is_over(ledger)
    if ledger.closed(sessions[-1].session):
        return True
    done = ledger.iterations_done()
    selection = ledger.selection(str(done))
    if selection is None or selection.failure is None or done <= sessions[-1].offset:
        return False  # a session that began after a hopeless iteration has not selected yet
    return failed_trials is None or failed_trials <= recorded_definition(ledger).limits.failed_trials


def link_latest(ledger: Ledger) -> Path | None:
    """Let `<store>/latest` lead to the run; None where the store is no folder.

    Returns:
        The run's folder by that link.
    """
    if not isinstance(ledger.store, LocalStore):
        return None
    link = ledger.store.folder / LATEST
    fresh = link.with_name(f".{LATEST}.{os.getpid()}")
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(ledger.root, target_is_directory=True)
    fresh.replace(link)
    return link


def _new(store: Store, search: str) -> Ledger:
    """A run that is named after the present second, or where one is already, after its fraction too."""
    moment = datetime.now(UTC)
    run = Ledger(store, search, f"{moment:%Y-%m-%dT%H-%M-%S}")
    return run if run.begun() is None else Ledger(store, search, f"{moment:%Y-%m-%dT%H-%M-%S-%f}")


def _make_current(ledger: Ledger) -> None:
    ledger.store.put(_pointer(ledger.search), json.dumps({"run": ledger.run}).encode() + b"\n")


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
