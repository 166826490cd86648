"""Taking a run's turn: a session becomes its one writer, unless another is at work."""

import time
from collections.abc import Callable

from windtunnel.errors import LedgerError
from windtunnel.ledger.ledger import Ledger
from windtunnel.ledger.writer import Writer, beats, look, take


def take_turn(
    ledger: Ledger,
    session: str,
    running: Callable[[str], bool | None] = lambda session: False,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Become the run's one writer; the session's number. The etag of `writer.json` settles a race.

    Args:
        ledger: of the run.
        session: its name; one that has begun keeps its number.
        running: whether another session is still at work; None where only its heartbeat can tell.
        sleep: waits for so many seconds.

    Raises:
        LedgerError: another session is at work, or one that began later than this.
    """
    while True:
        writer, etag = look(ledger.store, ledger.root)
        if writer is not None and writer.session == session and writer.number:
            return writer.number
        sessions = ledger.sessions()
        if writer is not None and writer.session != session:
            _check_idle(ledger, writer, running, sleep)
            if any(one.session == session and one.number for one in sessions):
                raise LedgerError(
                    f"session {writer.number} took over this run, {writer.session}: {session} is over; resume the run"
                )
        number = 1 + max((one.number for one in sessions), default=0)
        number = max(number, writer.number + 1 if writer is not None else 1)
        planned, selected = ledger.stage_records(listed=True)
        mine = Writer(session=session, number=number, planned=planned, selected=selected)
        if take(ledger.store, ledger.root, mine, etag):
            return number


def _check_idle(
    ledger: Ledger, writer: Writer, running: Callable[[str], bool | None], sleep: Callable[[float], None]
) -> None:
    """Whether the last writer works no more: the engine says so, its session is closed, or its heart beats no more.

    Raises:
        LedgerError: it does.
    """
    runs = running(writer.session)
    if runs is None:
        runs = not ledger.closed(writer.session) and beats(ledger.store, ledger.root, writer.number, sleep)
    if runs:
        raise LedgerError(
            f"{writer.session} still works on {ledger.url}: wait for it, stop it, or begin a run of its own"
        )
