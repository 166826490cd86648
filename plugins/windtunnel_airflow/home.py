"""The folder of an Airflow of one's own (`AIRFLOW_HOME`): its keys and its password are nobody else's."""

import contextlib
import json
import os
import secrets
from pathlib import Path

from windtunnel.errors import WindtunnelError

USER = "admin"


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
