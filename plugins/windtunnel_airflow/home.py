"""The folder of an Airflow of one's own (`AIRFLOW_HOME`): its keys and its password are nobody else's."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from windtunnel.errors import WindtunnelError
from windtunnel.host.machine import user_cache

USER = "admin"
_PATIENCE = 5.0  # seconds: a process whose parent was killed takes a moment to end


class BusyError(WindtunnelError):
    """Another process is at work in the same home."""


def home_of(folder: Path) -> Path:
    """The home, in the user's cache, of the Airflow that performs the searches of a folder."""
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return user_cache() / "airflow" / f"{folder.name}-{digest}"


def private_home(home: Path) -> None:
    """Make the folder, and let no other user of this machine enter it.

    Raises:
        WindtunnelError: it belongs to another user.
    """
    home.mkdir(parents=True, exist_ok=True)
    try:
        home.chmod(0o700)
    except PermissionError:
        raise WindtunnelError(
            f"{home}, the folder for Airflow's own files, belongs to another user: delete it"
        ) from None


def passwords_file(home: Path) -> Path:
    """Where Airflow's simple auth manager looks for passwords."""
    return home / "passwords.json"


def password(home: Path) -> str:
    """The password of the user `admin`, made up when it is asked for the first time."""
    file = passwords_file(home)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as new:
            json.dump({USER: secrets.token_urlsafe(12)}, new)
    return str(json.loads(file.read_text())[USER])


@contextlib.contextmanager
def only_one(home: Path, what: str = "another run") -> Iterator[int]:
    """Hold the home's lock: with two Airflows at work on one database, both would fail.

    Args:
        home: that is there.
        what: is at work where the lock is held, for the error.

    Returns:
        The lock's descriptor, which may be handed on.

    Raises:
        BusyError: somebody else holds it.
    """
    with (home / "lock").open("a") as lock:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BusyError(f"{what} is at work in {home}: wait for it, or stop it") from None
                time.sleep(0.1)
        yield lock.fileno()
