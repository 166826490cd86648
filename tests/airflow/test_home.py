"""Airflow's own folder, and the password in it."""

import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from windtunnel.errors import WindtunnelError
from windtunnel_airflow.home import BusyError, home_of, only_one, password, passwords_file, private_home


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_closed_to_others_even_if_it_was_open(tmp_path):
    home = tmp_path / "a" / "home"
    private_home(home)
    assert mode(home) == 0o700
    home.chmod(0o755)
    private_home(home)
    assert mode(home) == 0o700


def test_the_password_is_made_up_and_kept_for_this_user_alone(tmp_path):
    first, other = tmp_path / "first", tmp_path / "other"
    for home in (first, other):
        private_home(home)
    assert len(password(first)) >= 16
    assert password(first) == password(first)
    assert password(first) != password(other)
    assert mode(passwords_file(first)) == 0o600


def test_another_users_folder_is_refused(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setattr("pathlib.Path.chmod", _refused)
    with pytest.raises(WindtunnelError, match="belongs to another user"):
        private_home(tmp_path / "home")


def test_each_folder_of_searches_has_a_home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("windtunnel_airflow.home._PATIENCE", 0.0)
    one, other = home_of(tmp_path / "one" / "searches"), home_of(tmp_path / "other" / "searches")
    for home in (one, other):
        private_home(home)
    told = f"another run is at work in {one}: wait for it, or stop it"
    with only_one(one), only_one(other), pytest.raises(BusyError, match=told), only_one(one):
        pass
    with only_one(one):
        pass


def test_a_second_user_interface_is_told_that_its_port_or_its_home_is_taken(tmp_path):
    def start(port):
        command = [sys.executable, "scripts/ui.py", "--home", str(tmp_path), "--port", str(port)]
        ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300)
        return ended.returncode, ended.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert start(port) == (2, f"Port {port} is taken, by another Airflow perhaps: make ui PORT={port + 1}\n")
    with only_one(tmp_path):
        assert start(port) == (3, f"another Airflow is at work in {tmp_path}: wait for it, or stop it\n")


def _refused(*_):
    raise PermissionError
