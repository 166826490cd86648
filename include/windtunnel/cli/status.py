"""Print a run's trials, or a fleet's partitions, as a table: state, values, time, and why one failed.

With `--follow` it goes on until the run has ended: on a terminal the table is drawn again and again, elsewhere each
trial gets a line when it has ended.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windtunnel.ledger import Ledger
    from windtunnel.report import FleetReader, FleetSnapshot, RunReader, Snapshot

_SHORTEST, _LONGEST = 1.0, 60.0  # seconds between two looks
_SHARE = 0.1  # of the time that may go into looking
_SILENCE = 120.0  # seconds without a sign of life that are worth a word
_CLEAR = "\x1b[H\x1b[J"  # to a terminal: the cursor to the top, and nothing below it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help="of the run: <store>/<search>/<run>, or its folder; or …/latest")
    parser.add_argument("--follow", action="store_true", help="go on until the run has ended; Ctrl-C ends it")


def run(arguments: argparse.Namespace) -> int:
    """Print the table once, or follow the run."""
    from windtunnel.ledger.find import find_run
    from windtunnel.report import reader_of

    reader = reader_of(find_run(arguments.url))
    words = _words(reader)
    terminal = sys.stdout.isatty()
    if not arguments.follow:
        snapshot = reader.read()
        _print_table(snapshot, words, terminal)
        if silence := _silence(reader.ledger, snapshot.at_work):
            print(silence)
    elif terminal:
        for snapshot in _snapshots(reader, words):
            print(_CLEAR, end="")
            _print_table(snapshot, words, terminal, whole=False)
    else:
        _print_lines(reader, words)
    return 0


def _silence(ledger: "Ledger", session: int | None) -> str:
    """What is known of a run that goes on by its ledger, but of which nothing has been heard for long; else empty.

    A ledger does not tell what its engine knows: Airflow's page says which of the causes it is.

    Args:
        ledger: of the run.
        session: number of the one at work; None where none is.
    """
    from windtunnel.ledger.writer import last_sign

    sign = last_sign(ledger.store, ledger.root, session) if session is not None else None
    if sign is None or (seconds := time.time() - sign) < _SILENCE:
        return ""
    since = datetime.fromtimestamp(sign, UTC)
    return (
        f"nothing was heard of it for {seconds / 60:.0f} min, since {since:%Y-%m-%d %H:%M} UTC: whoever performs it is"
        " stopped, or its DAG is paused, or its definition gone; the same command, or resume, goes on with it"
    )


def _words(reader: "RunReader | FleetReader") -> ModuleType:
    """What puts such a run into words."""
    from windtunnel.report import FleetReader, text
    from windtunnel.report.fleet import text as fleet

    return fleet if isinstance(reader, FleetReader) else text


def _print_table(snapshot: "Snapshot | FleetSnapshot", words: ModuleType, terminal: bool, whole: bool = True) -> None:
    """The table, as wide as the terminal is and, unless it is to be whole, no higher."""
    size = shutil.get_terminal_size()
    width = size.columns if terminal else None
    head = words.headline(snapshot).splitlines()
    tail = [line[:width] for line in words.why_failed(snapshot)]
    rows = None if whole else max(1, size.lines - len(head) - len(tail) - 2)
    print("\n".join([*head, *words.table(snapshot, width, rows), *tail]), flush=True)


def _print_lines(reader: "RunReader | FleetReader", words: ModuleType) -> None:
    printed: set[str] = set()
    begun = False
    for snapshot in _snapshots(reader, words):
        if not begun:
            print(words.headline(snapshot))
        begun = True
        for line in words.ended_lines(snapshot, printed):
            print(line, flush=True)
    print("\n".join([*words.why_failed(snapshot), words.headline(snapshot).splitlines()[-1]]))


def _snapshots(reader: "RunReader | FleetReader", words: ModuleType) -> "Iterator[Snapshot | FleetSnapshot]":
    """The run now and again, until it has ended; a store that cannot be reached for a while is waited for."""
    from windtunnel.errors import UnavailableError
    from windtunnel.text import printable

    warned = False
    while True:
        began = time.monotonic()
        try:
            snapshot = reader.read()
        except UnavailableError as error:
            if not warned:
                print(f"waiting for the store: {printable(str(error))}", file=sys.stderr)
            warned = True
        else:
            warned = False
            yield snapshot
            if words.ending(snapshot):
                return
        took = time.monotonic() - began
        time.sleep(max(_SHORTEST, min(_LONGEST, took * (1 / _SHARE - 1))))
