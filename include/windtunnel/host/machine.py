"""Time and place as records give them, and where this user's own files go."""

import getpass
import os
import socket
from datetime import UTC, datetime
from pathlib import Path


def now() -> str:
    """This moment, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def host() -> str:
    """This host's name."""
    return socket.gethostname()


def user() -> str | None:
    """The name of who works here; None where this system knows none, as in a container under a number of its own."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def user_cache() -> Path:
    """Windtunnel's folder in this user's cache, for what can be made again; it need not be there."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "windtunnel"
